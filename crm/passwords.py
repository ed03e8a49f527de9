"""Passwords of people, by Django's hashers."""

from django.contrib.auth.hashers import check_password, make_password


def hashed(password: str) -> str:
    """Give what is kept of a password."""
    return make_password(password)


def matches(password: str, stored: str | None) -> bool:
    """Say whether it is the one kept; where none is, saying no takes as long."""
    if stored is None:
        make_password(password)
        return False
    return check_password(password, stored)
