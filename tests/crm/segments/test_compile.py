import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from segment_oracle import true_of

from crm.models import Channel, ChannelSubscription, Install, User
from crm.segments.compile import compile_rule
from crm.segments.rules import parse
from crm.segments.values import PLATFORMS

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
THOROUGH = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class NoPushes:
    """Nobody opened or received anything."""

    def opened(self, notification_ids, *, app_id):
        return "false", []

    def received(self, *, since, app_id):
        return "false", []


def rule_of(where):
    return {"version": 1, "where": where}


def asked(name, op, *value):
    leaf = {"field": "attribute", "name": name, "op": op}
    return rule_of({**leaf, "value": value[0]} if value else leaf)


@pytest.fixture
def found(app):
    """Give the pairs a rule is true of, as (user uid, install uid)."""

    def pairs(rule, *, app=app):
        sql, params = compile_rule(parse(rule), app_id=app.pk, now=NOW, pushes=NoPushes())
        with connection.cursor() as cursor:
            cursor.execute(
                f"""SELECT u.uid, i.uid FROM ({sql}) m JOIN crm_user u ON u.id = m.user_id
                      LEFT JOIN crm_install i ON i.id = m.install_id""",
                params,
            )
            return sorted(cursor.fetchall(), key=str)

    return pairs


# any JSON and any rule: SQL and a second opinion agree

keys = st.sampled_from(["a", "b", "0", "ä b", 'quote"', "\\\n\x01", "%s", ""])
dates = st.sampled_from(["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29T00:00Z"])
dates |= st.sampled_from(["0000-01-01", "2026-13-01", "2026-11-31", "2026-11-24\n", " 2026-11-24"])
dates |= st.sampled_from(["2026-11-24T12:00:00Z", "2026-11-20T07:00:00.5", "2026-11-24T24:00"])
dates |= st.sampled_from(["2026-11-24T12:00:60", "2026-11-24T12:00:00+15:00", "2026-11-24T12"])
dates |= st.sampled_from(["2026-11-24 13:30+01:30", "\u0662\u0660\u0662\u0666-11-24"])
dates |= st.sampled_from(["0001-01-01T00:00+14:00", "9999-12-31T23:59:59.999999-1400"])
texts = st.sampled_from(["", "gold", "go", "Gold", "g", "ß", "%", "_", "\\", "10", "true", "null"])
texts = texts | dates | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = (
    st.sampled_from([0, -0.0, 1, 1.0, 10, 1e300, 5e-324, 2**63, 2**64 - 1, 0.1, -1])
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
scalars = st.none() | st.booleans() | numbers | texts
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
some_text = texts.filter(bool)
versions = st.sampled_from(
    ["10", "10.0", "10.2", "10.10", "9.9.9", "0", "0.0", "00.1", "99999999999"]
)
own_versions = versions | st.sampled_from(["", "10.2-beta", "v10.2", "10.", ".5", "1.2.3.4.5"])
zones = st.sampled_from(["Europe/Berlin", "Europe/Paris", "UTC"])
two = st.sampled_from(
    ["00", "01", "02", "04", "06", "12", "13", "14", "15", "24", "28", "29", "30"]
)
two |= st.sampled_from(["31", "32", "59", "60"])
years = st.sampled_from(["0000", "0001", "1900", "2000", "2023", "2024", "2026", "9999"])
ends = st.sampled_from(
    ["", "Z", "z", ".5", ".1234567", ":30", "+14:00", "-1500", "+02", ".5Z", " "]
)
shaken = st.builds("{}-{}-{}".format, years, two, two)
shaken |= st.builds("{}{}{}:{}{}".format, shaken, st.sampled_from(["T", " ", "t"]), two, two, ends)
moments = st.sampled_from([NOW - timedelta(days=n) for n in (0, 1, 2, 7, 400)])
read_dates = st.sampled_from(["2024-02-29", "2026-11-23T12:00:00Z", "2026-11-22 13:30+01:30"])
read_dates |= st.sampled_from(["0001-01-01T00:00+14:00", "9999-12-31T23:59:59.999999-1400"])
tags = st.sampled_from(["vip", "new", "ä,}"])
countries = st.sampled_from(["GB", "DE"])
platforms = st.sampled_from(PLATFORMS)

people = st.fixed_dictionaries(
    {
        "attributes": st.dictionaries(keys, anything, max_size=4),
        "tags": st.lists(tags, max_size=2),
        "created": moments,
        "last_active": st.none() | moments,
        "channels": st.lists(st.sampled_from(["by user", "by install"]), max_size=2, unique=True),
        "install": st.none()
        | st.fixed_dictionaries(
            {
                "sdk_type": st.sampled_from(["Swift", "Web", ""]),
                "os": st.sampled_from(["iOS", "Android", "Windows Phone", "Windows", ""]),
                "os_version": own_versions,
                "app_version": own_versions,
                "locale": st.sampled_from(["en-GB", "en", ""]),
                "country": countries | st.just(""),
                "timezone": zones | st.just(""),
            }
        ),
    }
)


def several(values):
    return st.lists(values, min_size=1, max_size=3)


def same(values):
    return st.tuples(st.sampled_from(["equals", "not"]), values) | st.tuples(
        st.just("in"), several(values)
    )


def in_order(values):
    return st.tuples(st.sampled_from(["greater", "less"]), values) | between(values)


def between(values):
    return st.tuples(st.just("between"), st.tuples(values, values).map(list))


EXISTS = st.just(("exists", None))
START = st.tuples(st.sampled_from(["starts_with", "contains"]), some_text)
TIME = st.tuples(st.sampled_from(["before", "after"]), read_dates)
TIME |= st.tuples(st.just("within_days"), st.integers(1, 9))
VERSION = same(versions) | in_order(versions) | st.tuples(st.just("starts_with"), versions)

COMPARISONS = {
    "attribute": same(scalars)
    | st.tuples(st.sampled_from(["equals", "not"]), anything)
    | st.tuples(st.just("in"), st.lists(scalars, min_size=17, max_size=20))
    | in_order(numbers)
    | in_order(texts)
    | st.tuples(st.just("contains"), scalars)
    | START
    | TIME
    | EXISTS,
    "tag": same(tags) | EXISTS,
    "channel": same(st.sampled_from(["by user", "by install", "nobody's"])) | EXISTS,
    "user": same(st.sampled_from(["0", "1", "2"])) | START,
    "created": TIME | between(read_dates),
    "last_active": TIME | between(read_dates) | EXISTS,
    "platform": same(platforms) | EXISTS,
    "os_version": VERSION | EXISTS,
    "app_version": VERSION | EXISTS,
    "locale": same(st.sampled_from(["en-GB", "en"])) | START | EXISTS,
    "country": same(countries | st.just("gb")) | EXISTS,
    "timezone": same(zones) | START | EXISTS,
}


def leaf(field):
    name = some_key | st.lists(some_key, min_size=1, max_size=2)
    extra = {"name": name} if field == "attribute" else {}
    return st.builds(
        lambda compared, **extra: {
            "field": field,
            "op": compared[0],
            **({} if compared[0] == "exists" else {"value": compared[1]}),
            **extra,
        },
        COMPARISONS[field],
        **extra,
    )


some_key = keys.filter(bool)
leaves = st.one_of(*map(leaf, COMPARISONS)) | leaf("attribute")
rules = st.recursive(
    leaves,
    lambda inner: (
        st.builds(lambda node: {"not": node}, inner)
        | st.builds(
            lambda word, nodes: {word: nodes}, st.sampled_from(["all", "any"]), several(inner)
        )
    ),
    max_leaves=5,
).map(rule_of)


def settle(app, crowd):
    """Make these the app's people; each is known by their place, and so is their install."""
    ChannelSubscription.objects.all().delete()
    Install.objects.all().delete()
    User.objects.all().delete()
    users = User.objects.bulk_create(
        User(
            app=app,
            uid=str(n),
            attributes=one["attributes"],
            tags=one["tags"],
            created_at=one["created"],
            last_active_at=one["last_active"],
        )
        for n, one in enumerate(crowd)
    )
    owned = [(user, one["install"]) for user, one in zip(users, crowd, strict=True)]
    installs = Install.objects.bulk_create(
        Install(app=app, uid=user.uid, user=user, **install)
        for user, install in owned
        if install is not None
    )
    subscribe(app, "by user", [{"user": u} for u in users if "by user" in channels(crowd, u)])
    subscribe(
        app, "by install", [{"install": i} for i in installs if "by install" in channels(crowd, i)]
    )


def channels(crowd, who):
    return crowd[int(who.uid)]["channels"]


def subscribe(app, name, owners):
    channel, _ = Channel.objects.get_or_create(app=app, uuid=name)
    ChannelSubscription.objects.bulk_create(
        ChannelSubscription(channel=channel, **owner) for owner in owners
    )


def oneself(n, one):
    """Give a person as the second opinion sees them."""
    held = [c for c in one["channels"] if c == "by user" or one["install"] is not None]
    return {**one, "uid": str(n), "channels": held}


def agree(found, rule, crowd):
    expected = [
        (str(n), None if one["install"] is None else str(n))
        for n, one in enumerate(crowd)
        if true_of(rule, oneself(n, one), now=NOW)
    ]
    assert found(rule) == sorted(expected, key=str), json.dumps(rule)


@THOROUGH
@given(
    crowd=st.lists(people, min_size=2, max_size=6), asked=st.lists(rules, min_size=2, max_size=6)
)
def test_any_rule_is_true_of_whom_a_second_opinion_says(app, found, crowd, asked):
    settle(app, crowd)
    for rule in asked:
        agree(found, rule, crowd)


PLAIN = {"tags": [], "created": NOW, "last_active": None, "channels": [], "install": None}


@THOROUGH
@given(data=st.data())
def test_any_comparison_of_any_json_is_what_a_second_opinion_says(app, found, data):
    values = data.draw(st.lists(anything | texts | numbers, min_size=4, max_size=9))
    crowd = [{**PLAIN, "attributes": {"a": value}} for value in values]
    settle(app, crowd)
    own = st.sampled_from(values)
    tried = [
        *data.draw(st.lists(COMPARISONS["attribute"], max_size=3)),
        *(("equals", value) for value in values),
        ("in", [value for value in values if not isinstance(value, list | dict)] or [None]),
        *(("contains", value) for value in values if not isinstance(value, list | dict)),
    ]
    for op, value in tried:
        agree(found, asked("a", op) if op == "exists" else asked("a", op, value), crowd)
    one, other = data.draw(own), data.draw(own)
    for kind in (str, int | float):
        if (
            isinstance(one, kind)
            and isinstance(other, kind)
            and bool not in {type(one), type(other)}
        ):
            for op in ("greater", "less"):
                agree(found, asked("a", op, one), crowd)
            agree(found, asked("a", "between", [one, other]), crowd)


@THOROUGH
@given(values=st.lists(dates | shaken, min_size=5, max_size=15), bound=read_dates)
def test_no_text_is_taken_for_a_moment_that_is_none(app, found, values, bound):
    crowd = [{**PLAIN, "attributes": {"a": value}} for value in values]
    settle(app, crowd)
    for op in ("before", "after"):
        agree(found, asked("a", op, bound), crowd)
