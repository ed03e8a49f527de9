"""The words of the rule language: fields, operators, and which suit each other."""

from collections.abc import Mapping
from enum import StrEnum

from crm.segments import values
from crm.segments.values import Reader


class Field(StrEnum):
    """What a rule can ask about."""

    ATTRIBUTE = "attribute"
    TAG = "tag"
    CHANNEL = "channel"
    USER = "user"
    CREATED = "created"
    LAST_ACTIVE = "last_active"
    PLATFORM = "platform"
    OS_VERSION = "os_version"
    APP_VERSION = "app_version"
    LOCALE = "locale"
    COUNTRY = "country"
    TIMEZONE = "timezone"
    OPENED = "opened"
    RECEIVED = "received"


class Op(StrEnum):
    """How it is compared."""

    EQUALS = "equals"
    NOT = "not"
    GREATER = "greater"
    LESS = "less"
    BETWEEN = "between"
    IN = "in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    EXISTS = "exists"
    BEFORE = "before"
    AFTER = "after"
    WITHIN_DAYS = "within_days"


def _same(reader: Reader) -> dict[Op, Reader]:
    return {Op.EQUALS: reader, Op.NOT: reader, Op.IN: values.several(reader)}


def _sorted(reader: Reader) -> dict[Op, Reader]:
    return {Op.GREATER: reader, Op.LESS: reader, Op.BETWEEN: values.pair(reader)}


EXISTS: dict[Op, Reader] = {Op.EXISTS: values.nothing}
STARTS: dict[Op, Reader] = {Op.STARTS_WITH: values.text}
TEXT = {**_same(values.text), **STARTS, Op.CONTAINS: values.text}
VERSION = {**_same(values.version), **_sorted(values.version), **STARTS, **EXISTS}
TIME = {Op.BEFORE: values.moment, Op.AFTER: values.moment, Op.WITHIN_DAYS: values.days}

SUITS: Mapping[Field, Mapping[Op, Reader]] = {
    Field.ATTRIBUTE: {
        Op.EQUALS: values.anything,
        Op.NOT: values.anything,
        Op.IN: values.several(values.scalar),
        **_sorted(values.ordered),
        Op.CONTAINS: values.scalar,
        **STARTS,
        **TIME,
        **EXISTS,
    },
    Field.TAG: {**_same(values.text), **EXISTS},
    Field.CHANNEL: {**_same(values.channel), **EXISTS},
    Field.USER: TEXT,
    Field.CREATED: {**TIME, Op.BETWEEN: values.pair(values.moment)},
    Field.LAST_ACTIVE: {**TIME, Op.BETWEEN: values.pair(values.moment), **EXISTS},
    Field.PLATFORM: {**_same(values.platform), **EXISTS},
    Field.OS_VERSION: VERSION,
    Field.APP_VERSION: VERSION,
    Field.LOCALE: {**TEXT, **EXISTS},
    Field.COUNTRY: {**_same(values.country), **EXISTS},
    Field.TIMEZONE: {**TEXT, **EXISTS},
    Field.OPENED: _same(values.number),
    Field.RECEIVED: {Op.WITHIN_DAYS: values.days},
}
"""Which operators suit a field, and who reads the value beside each."""
