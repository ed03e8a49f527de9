"""Callers in the vendor's words: an application's session, and users with sessions of their own."""

import pytest
from connectycube_calls import Cube

from crm.commands.accounts import SignUp, sign_up
from crm.commands.apps import create_app


@pytest.fixture
def other_cube(client, db) -> Cube:
    """Give a caller of another application."""
    return Cube(client, create_app(name="Other"))


@pytest.fixture
def person(app):
    """Sign somebody up, as their application would."""

    def build(login: str = "john", **said):
        return sign_up(SignUp(app=app, login=login, password="secret 1", **said))

    return build


@pytest.fixture
def john(cube, person) -> Cube:
    """Give a caller who is signed in."""
    return cube.of(person("john"))


@pytest.fixture
def jane(cube, person) -> Cube:
    return cube.of(person("jane"))
