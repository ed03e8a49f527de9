"""Scrypt with the least work it can be given, for people who only live in tests."""

from django.contrib.auth.hashers import ScryptPasswordHasher


class CheapScrypt(ScryptPasswordHasher):
    work_factor = 2
    parallelism = 1
