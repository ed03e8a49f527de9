"""Everything sealed is sealed anew with the first sealing key, so that older keys can go."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.db import models

from crm.sealing import reseal

AT_ONCE = 500
PREFIX = "sealed"
INSIDE = {"mfa.Authenticator": "data"}
"""JSON columns of models that are not ours, some of whose values are sealed."""

NAMES = ("secret", "seed")
"""Which ones: what codes are made from."""


@dataclass(slots=True)
class Resealed:
    """How many secrets one column has, sealed with which keys."""

    column: str
    current: int = 0  # with the first key
    older: int = 0  # with another one; sealed anew, unless only counted
    unreadable: int = 0  # with a key that is not there


def reseal_all(*, only_count: bool = False) -> Iterator[Resealed]:
    """Seal every secret of the gateway with the first of `SEALING_KEYS`, column by column.

    Row by row and safe to break off: what is done is known by the key that opens it. A secret that
    changes meanwhile keeps its change, which is sealed with the first key anyway; where something
    else in its cell did, as with a recovery code that is used, the next run seals it.
    """
    for model, column in sealed_columns():
        yield _reseal_column(model, column, only_count=only_count)


def sealed_columns() -> Iterator[tuple[type[models.Model], str]]:
    """Give where secrets are: binary columns named `sealed…`, and the JSON columns of `INSIDE`."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:  # noqa: SLF001 - Django's public API
            if isinstance(field, models.BinaryField) and field.name.startswith(PREFIX):
                yield model, field.name
        if inside := INSIDE.get(model._meta.label):  # noqa: SLF001
            yield model, inside


def _reseal_column(model: type[models.Model], column: str, *, only_count: bool) -> Resealed:
    found = Resealed(f"{model._meta.db_table}.{column}")  # noqa: SLF001 - Django's public API
    for key, sealed in _secrets(model, column):
        try:
            fresh = _anew(sealed)
        except InvalidToken:
            found.unreadable += 1
            continue
        if fresh is None:
            found.current += 1
            continue
        found.older += 1
        if not only_count:
            rows = model._default_manager.filter(pk=key, **{column: sealed})  # noqa: SLF001
            rows.update(**{column: fresh})
    return found


def _anew(cell: Any) -> Any:
    """Give what a cell holds, sealed with the first key; None where it is already."""
    if not isinstance(cell, dict):
        return reseal(cell)
    anew = {name: reseal(cell[name].encode()) for name in NAMES if name in cell}
    changed = {name: fresh.decode() for name, fresh in anew.items() if fresh is not None}
    return {**cell, **changed} if changed else None


def _secrets(model: type[models.Model], column: str) -> Iterator[tuple[Any, Any]]:
    rows = model._default_manager.exclude(**{column: None}).order_by("pk")  # noqa: SLF001
    if model._meta.label in INSIDE:  # noqa: SLF001
        rows = rows.filter(**{f"{column}__has_any_keys": NAMES})
    last: Any = None
    while True:
        page = rows if last is None else rows.filter(pk__gt=last)
        found = list(page.values_list("pk", column)[:AT_ONCE])
        for key, sealed in found:
            yield key, sealed if isinstance(sealed, dict) else bytes(sealed)
        if len(found) < AT_ONCE:
            return
        last = found[-1][0]
