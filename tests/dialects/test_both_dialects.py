"""One domain: whoever registers through one dialect is reached through the other."""

import json
from itertools import count

import pytest
from connectycube_calls import FCM_TOKEN, universal
from django.utils import timezone

from crm.commands.accounts import SignUp, sign_up
from crm.models import DeviceToken, User
from delivery import dispatch
from delivery.models import Delivery, Occurrence
from delivery.tasks import fan_out

APNS = "ab" * 32
numbers = count()


@pytest.fixture
def member(app, cube):
    """Give somebody who signed up through ConnectyCube and has an id of the caller's."""
    user = sign_up(
        SignUp(app=app, login="member", password="secret", external_id="member-1", tags=["vip"])
    )
    return cube.of(user)


@pytest.fixture
def reached(memory):
    """Let everything due be sent; give the values of the addresses a provider accepted."""
    provider = memory()

    def work():
        Delivery.objects.all().delete()
        for occurrence in Occurrence.objects.filter(state="due", due_at__lte=timezone.now()):
            fan_out(occurrence.pk, "bulk")
        for lane in ("urgent", "bulk"):
            while dispatch.deliver_next(lane):
                pass
        accepted = Delivery.objects.filter(verdict="accepted").values_list("token_id", flat=True)
        return sorted(DeviceToken.objects.filter(pk__in=accepted).values_list("value", flat=True))

    assert provider
    return work


def tell(caller, kind, data):
    uuid = f"00000000-0000-4000-8000-{next(numbers):012x}"
    event = {"type": kind, "uuid": uuid, "timestamp": 1_600_000_000_000, "data": data}
    assert caller.tell(event).status_code == 202


@pytest.fixture
def kumulos_phone(device):
    """Register an iPhone whose app has the Kumulos SDK, with member-1 signed in."""
    known = {"id": "member-1", "attributes": {"plan": "gold"}}
    tell(device, "k.stats.userAssociated", known)
    tell(device, "k.stats.installTracked", {"os": {"id": 1}, "device": {"tz": "Europe/Rome"}})
    token = {"type": 1, "token": APNS, "bundleId": "com.example.app"}
    tell(device, "k.push.deviceRegistered", token)


@pytest.fixture
def cube_phone(member):
    """Subscribe the same person's Android phone, whose app has the ConnectyCube SDK."""
    said = {"notification_channel": "gcm", "platform": "android", "environment": "production"}
    assert member.subscribe(FCM_TOKEN, **said).status_code == 201


@pytest.mark.usefixtures("cube_phone", "kumulos_phone")
def test_somebody_of_both_is_one_row(member, backend):
    user = User.objects.get(uid="member-1")
    assert (user.pk, user.login, user.attributes) == (member.user.pk, "member", {"plan": "gold"})
    people = backend.ask("GET", "/v2/users?currentPage=1&numberPerPage=10").json()
    [shown] = [p for p in people["users"] if p["identifier"] == "member-1"]
    assert [i["subscribedToPushNotifications"] for i in shown["installs"]] == [True, True]
    assert sorted(i["os"] for i in shown["installs"]) == ["Android", "iOS"]


@pytest.mark.usefixtures("kumulos_phone")
def test_whoever_kumulos_knows_signs_up_as_the_same_person(cube):
    known = User.objects.get(uid="member-1")
    body = {"user": {"login": "member", "password": "secret", "external_id": "member-1"}}
    answer = cube.of(None).ask("POST", "/users", body)
    assert answer.json()["user"]["id"] == known.pk


@pytest.mark.parametrize(
    "target",
    [
        {"broadcast": True},
        {"userIds": ["member-1"]},
        {"segment": {"field": "tag", "op": "equals", "value": "vip"}},
        {"segment": {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"}},
    ],
)
@pytest.mark.usefixtures("cube_phone", "kumulos_phone")
def test_a_kumulos_send_reaches_devices_of_both(backend, reached, target):
    backend.send(**_with_segment(backend, target))
    assert reached() == sorted([APNS, FCM_TOKEN])


@pytest.mark.parametrize(("platform", "expected"), [("ios", APNS), ("android", FCM_TOKEN)])
@pytest.mark.usefixtures("cube_phone", "kumulos_phone")
def test_a_segment_by_platform_tells_them_apart(backend, reached, platform, expected):
    rule = {"field": "platform", "op": "equals", "value": platform}
    backend.send(**_with_segment(backend, {"segment": rule}))
    assert reached() == [expected]


def _with_segment(backend, target):
    if "segment" not in target:
        return target
    body = {"name": json.dumps(target), "rule": {"version": 1, "where": target["segment"]}}
    answer = backend.ask("POST", "/v1/segments", body)
    assert answer.status_code == 201, answer.content
    return {"segmentId": answer.json()["id"]}


@pytest.mark.parametrize(
    "target",
    [
        {"user": {"ids": "{id}"}},
        {"user": {}, "external_user": {"ids": "member-1"}},
        {"user": {"tags": {"any": "vip,other"}}},
        {"user": {"tags": {"all": "vip"}}},
        {"user": {"tags": {"exclude": "other"}}},
    ],
)
@pytest.mark.usefixtures("cube_phone", "kumulos_phone")
def test_an_event_reaches_devices_of_both(member, reached, target):
    text = json.dumps(target).replace("{id}", str(member.user.pk))
    message = universal(message="Hello")
    answer = member.send(environment="production", message=message, **json.loads(text))
    assert answer.status_code == 201, answer.content
    assert reached() == sorted([APNS, FCM_TOKEN])


@pytest.mark.usefixtures("member", "kumulos_phone")
def test_an_address_registered_by_both_belongs_to_the_last(cube, app, backend, reached):
    other = cube.of(sign_up(SignUp(app=app, login="other", password="secret")))
    push = {"bundle_identifier": "com.example.app"}
    assert other.subscribe(APNS, environment="production", push=push).status_code == 201
    backend.send(userIds=["member-1"])
    assert reached() == []
    backend.send(broadcast=True)
    assert reached() == [APNS]
