"""Audiences of ids and tags against a second opinion that looks at one person at a time."""

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.commands.apps import create_app
from crm.models import DeviceToken, Install, User
from delivery.audience import Audience, Devices
from delivery.errors import NobodyNamed
from delivery.targeting.resolve import inboxes, reachable, reaches_anybody, walks

pytestmark = pytest.mark.django_db

THOROUGH = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TAGS = ["vip", "new", "ä,}"]
NAMES = ["0", "1", "2", "3", "7", "-7", "007", "x"]
TRANSPORTS = ["apns", "apns_voip", "fcm"]
WORLDS = ["production", "sandbox"]

tags = st.lists(st.sampled_from(TAGS), max_size=2)
phones = st.lists(
    st.fixed_dictionaries(
        {
            "transport": st.sampled_from(TRANSPORTS),
            "environment": st.sampled_from(WORLDS),
            "state": st.sampled_from([*["alive"] * 4, "dead", "quarantined"]),
            "enabled": st.sampled_from([True, True, True, False]),
            "install": st.integers(0, 1),
        }
    ),
    min_size=1,
    max_size=5,
)
people = st.fixed_dictionaries(
    {
        "tags": tags,
        "ours": st.booleans(),
        "number": st.none() | st.sampled_from([7, -7]),
        "app": st.sampled_from(["ours", "ours", "ours", "another"]),
        "anonymous": st.booleans(),
        "phones": phones,
    }
)
crowds = st.lists(people, min_size=3, max_size=5)
audiences = st.fixed_dictionaries(
    {},
    optional={
        "everyone": st.just(True),
        "people": st.lists(st.integers(0, 6), min_size=1, max_size=3),
        "external_ids": st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple),
        "user_uids": st.lists(st.sampled_from(NAMES), min_size=1, max_size=2).map(tuple),
        "any_tags": tags.map(tuple),
        "all_tags": tags.map(tuple),
        "except_tags": tags.map(tuple),
        "devices": st.builds(
            Devices,
            transports=st.lists(st.sampled_from(TRANSPORTS), min_size=1).map(tuple),
            environment=st.sampled_from(["", *WORLDS]),
            unless_transport=st.sampled_from(["", *TRANSPORTS]),
        ),
    },
)


def settle(apps, crowd):
    """Make these people and their phones; each is known by their place, in both apps alike."""
    for model in (DeviceToken, Install, User):
        model.objects.all().delete()
    taken = set()
    for n, one in enumerate(crowd):
        number = one["number"] if (one["app"], one["number"]) not in taken else None
        taken.add((one["app"], number))
        one["number"], app = number, apps[one["app"]]
        one["row"] = user = User.objects.create(
            app=app,
            uid=str(n),
            uid_is_ours=one["ours"],
            external_user_id=number,
            tags=one["tags"],
            anonymous=one["anonymous"],
        )
        installs = [
            Install.objects.create(app=app, user=user, uid=f"{n}-{which}") for which in range(2)
        ]
        for place, phone in enumerate(one["phones"]):
            row = {key: value for key, value in phone.items() if key != "install"}
            install = installs[phone["install"]]
            phone["row"] = DeviceToken.objects.create(
                app=app, install=install, value=f"{n}-{place}", **row
            )


def audience_of(said, crowd):
    """Give the audience, with users of either app named by our keys, some of which nobody has."""
    said = dict(said)
    places = said.pop("people", None)
    if places is not None:
        ids = [crowd[n]["row"].pk if n < len(crowd) else 2**31 + n for n in places]
        said["user_ids"] = (*ids, -1, 2**70)
    return Audience(**said)


def belongs(one, said, crowd):
    if one["app"] != "ours":
        return False
    if set(one["tags"]) & set(said.get("except_tags", ())):
        return False
    kinds = ("people", "external_ids", "user_uids", "any_tags", "all_tags")
    if said.get("everyone") or not any(said.get(kind) for kind in kinds):
        return True
    return named(one, said, crowd) or tagged(one, said)


def named(one, said, crowd):
    place = next(n for n, other in enumerate(crowd) if other is one)
    if place in said.get("people", ()) or str(place) in said.get("user_uids", ()):
        return True
    names = said.get("external_ids", ())
    by_number = one["number"] is not None and any(
        name.lstrip("-").isdigit() and int(name) == one["number"] for name in names
    )
    return by_number or (str(place) in names and not one["ours"])


def tagged(one, said):
    some, every = said.get("any_tags", ()), said.get("all_tags", ())
    if not (some or every):
        return False
    return (not some or bool(set(some) & set(one["tags"]))) and set(every) <= set(one["tags"])


def rings(phone, one, devices):
    if not live(phone):
        return False
    if devices is None:
        return phone["transport"] in {"apns", "fcm"}
    world = devices.environment
    if phone["transport"] not in devices.transports or world not in {"", phone["environment"]}:
        return False
    return not any(
        live(other)
        and other["transport"] == devices.unless_transport
        and world in {"", other["environment"]}
        for other in one["phones"]
    )


def live(phone):
    return phone["state"] == "alive" and phone["enabled"]


@pytest.fixture
def apps(app):
    return {"ours": app, "another": create_app(name="Other").app}


def read(query):
    with connection.cursor() as cursor:
        cursor.execute(*query)
        return sorted(row[0] for row in cursor.fetchall())


@THOROUGH
@given(crowd=crowds, asked=st.lists(audiences, min_size=3, max_size=6))
def test_any_audience_reaches_whom_a_second_opinion_says(app, apps, crowd, asked):
    settle(apps, crowd)
    for said in asked:
        try:
            audience = audience_of(said, crowd)
        except NobodyNamed:
            continue
        asking = {"app_id": app.pk, "now": timezone.now()}
        members = [one for one in crowd if belongs(one, said, crowd)]
        expected = sorted(
            phone["row"].pk
            for one in members
            for phone in one["phones"]
            if rings(phone, one, said.get("devices"))
        )

        assert read(reachable(audience, **asking)) == expected, said
        assert reaches_anybody(audience, **asking) == bool(expected), said
        assert read(inboxes(audience, **asking)) == sorted(one["row"].pk for one in members), said


# one at a time, in words


@pytest.fixture
def reached(app):
    def ids(**named):
        return read(reachable(Audience(**named), app_id=app.pk, now=timezone.now()))

    return ids


def tag(user, *names, **said):
    User.objects.filter(uid=user).update(tags=list(names), **said)


def test_names_that_could_be_nobodys_are_skipped(phones, reached):
    token = phones.subscribe("mark")
    tag("mark", external_user_id=2**63 - 1)
    odd = ("", " 1", "1_0", "\u0661", "9" * 400, str(2**63), "-", "1.0", "0x1", "None")

    assert reached(external_ids=odd) == []
    assert reached(external_ids=(*odd, str(2**63 - 1))) == [token.pk]
    assert reached(user_ids=(0, -1, 2**31, 2**64)) == []


def test_a_name_of_the_callers_that_is_a_number_is_found_both_ways(phones, reached):
    by_name, by_number = phones.subscribe("12"), phones.subscribe("mark")
    tag("mark", external_user_id=12)

    assert reached(external_ids=("12",)) == [by_name.pk, by_number.pk]
    tag("12", uid_is_ours=True)
    assert reached(external_ids=("12",)) == [by_number.pk]


def test_a_tag_left_out_is_left_out_of_what_kumulos_names_too(app, phones, reached):
    mark, anna = phones.ring("one", user="mark"), phones.ring("two", user="anna")
    tag("anna", "quiet")

    both = {"user_uids": ("mark", "anna"), "install_uids": ("one", "two")}
    assert reached(**both) == [mark.pk, anna.pk]
    assert reached(**both, except_tags=("quiet",)) == [mark.pk]
    assert reached(everyone=True, except_tags=("quiet",)) == [mark.pk]
    assert reached(except_tags=("quiet",)) == [mark.pk]


def test_a_call_goes_to_who_takes_calls_and_the_push_to_the_others(phones, reached):
    mark = phones.subscribe("mark")
    calls = phones.subscribe("mark", transport="apns_voip")
    tablet = phones.subscribe("mark", udid="tablet")
    anna = phones.subscribe("anna")
    sandboxed = phones.subscribe("carl", environment="sandbox")
    phones.subscribe("carl", transport="apns_voip", environment="sandbox")
    carl = phones.subscribe("carl")
    muted = phones.subscribe("anna", transport="apns_voip")
    DeviceToken.objects.filter(pk=muted.pk).update(enabled=False)

    def on(*transports, unless=""):
        return Devices(transports=transports, environment="production", unless_transport=unless)

    everybody = {"user_uids": ("mark", "anna", "carl")}
    assert reached(**everybody, devices=on("apns_voip")) == [calls.pk]
    assert reached(**everybody, devices=on("apns", unless="apns_voip")) == [anna.pk, carl.pk]
    assert reached(everyone=True, devices=on("apns", unless="apns_voip")) == [anna.pk, carl.pk]
    assert reached(**everybody) == sorted(t.pk for t in (mark, tablet, anna, sandboxed, carl))


def test_what_may_be_walked_asks_nothing_of_users():
    devices = Devices(transports=("apns",), environment="production")

    assert walks(Audience(everyone=True))
    assert walks(Audience(everyone=True, devices=devices))
    assert not walks(Audience(everyone=True, except_tags=("a",)))
    assert not walks(Audience(except_tags=("a",)))
    assert not walks(Audience(user_ids=(1,), devices=devices))
    unless = Devices(transports=("apns",), unless_transport="apns_voip")
    assert not walks(Audience(everyone=True, devices=unless))
