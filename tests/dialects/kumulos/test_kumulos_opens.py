"""Who opened what: receipts in, bare arrays out (contracts/kumulos §3, §5.2, §6.24-26)."""

import pytest
from kumulos_calls import sent

from crm.models import Event
from delivery.models import Open

SENT_AT = 1_600_000_000_000
AT_TEXT = "2020-09-13 12:26:40"
FUTURE = 4_000_000_000_000


@pytest.fixture
def notification(backend):
    return sent(backend.send(broadcast=True, reportingMeta={"campaign": "Summer"}))


@pytest.fixture
def opens(backend, notification):
    def read(by: str, number: int | None = None):
        path = f"/notifications/{number or notification.pk}/{by}-opens"
        answer = backend.ask("GET", path)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return read


def opened(event, notification, **members):
    return event("k.message.opened", {"type": 1, "id": notification.pk}, **members)


def test_an_open_is_listed_by_install_and_by_user(device, event, notification, opens):
    device.tell(opened(event, notification, userId="user-1"))
    assert opens("install") == [{"installId": "install-1", "openedAt": AT_TEXT}]
    assert opens("user") == [{"userId": "user-1", "openedAt": AT_TEXT}]


def test_the_user_of_the_event_counts_before_the_current_one(device, event, notification, opens):
    device.tell(event("k.stats.userAssociated", {"id": "later"}))
    device.tell(opened(event, notification, userId="earlier"))
    assert [row["userId"] for row in opens("user")] == ["earlier"]


def test_without_a_user_in_the_event_the_current_one_counts(device, event, notification, opens):
    device.tell(event("k.stats.userAssociated", {"id": "member"}), opened(event, notification))
    assert [row["userId"] for row in opens("user")] == ["member"]


def test_anonymous_openers_are_listed_under_the_install_id(device, event, notification, opens):
    device.tell(opened(event, notification), install="Install-A")
    assert [row["userId"] for row in opens("user")] == ["Install-A"]


def test_several_opens_are_one_row_with_the_earliest_moment(device, event, notification, opens):
    device.tell(opened(event, notification, timestamp=SENT_AT + 5000))
    device.tell(opened(event, notification), opened(event, notification, timestamp=SENT_AT + 9000))
    assert opens("install") == [{"installId": "install-1", "openedAt": AT_TEXT}]


def test_opens_are_listed_oldest_first(device, event, notification, opens):
    for install, late in (("c", 3000), ("a", 1000), ("b", 2000)):
        device.tell(opened(event, notification, timestamp=SENT_AT + late), install=install)
    assert [row["installId"] for row in opens("install")] == ["a", "b", "c"]


def test_an_open_by_a_clock_in_the_year_one_is_spelled_like_any_other(
    device, event, notification, opens
):
    device.tell(opened(event, notification, timestamp=-62135596800000))
    for by in ("install", "user"):
        assert opens(by)[0]["openedAt"] == "0001-01-01 00:00:00"


def test_two_users_of_one_install_are_two_openers(device, event, notification, opens):
    device.tell(opened(event, notification, userId="a"), opened(event, notification, userId="b"))
    assert [row["userId"] for row in opens("user")] == ["a", "b"]
    assert len(opens("install")) == 1


def test_an_open_in_the_future_counts_as_of_its_arrival(device, event, notification, opens):
    device.tell(opened(event, notification, timestamp=FUTURE))
    [row] = opens("install")
    assert row["openedAt"] < "2090"


@pytest.mark.parametrize("kind", ["k.message.delivered", "k.message.dismissed", "k.message.read"])
def test_other_receipts_are_stored_and_are_no_opens(device, event, notification, opens, kind):
    device.tell(event(kind, {"type": 1, "id": notification.pk}))
    assert opens("install") == []
    assert Event.objects.filter(type=kind).count() == 1


def test_in_app_opens_do_not_count(device, event, notification, opens):
    device.tell(event("k.message.opened", {"type": 2, "id": notification.pk}))
    assert opens("install") == []


@pytest.mark.parametrize("spell", [int, str])
def test_a_legacy_open_counts_even_with_its_id_in_quotes(device, event, notification, opens, spell):
    device.tell(event("k.push.opened", {"id": spell(notification.pk)}))
    assert len(opens("install")) == 1


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"type": 1},
        {"type": 1, "id": None},
        {"type": 1, "id": "x"},
        {"type": 1, "id": 0},
        {"type": 1, "id": -1},
        {"type": 1, "id": 2**31},
        {"type": 1, "id": 2**70},
        {"type": 1, "id": True},
        {"type": 1, "id": 1.0},
        {"type": 1, "id": [1]},
        {"type": True, "id": 1},
        {"type": [1], "id": 1},
        {"type": 1, "id": 2**31 - 1},
        {"type": 1, "id": "9" * 400},
        [1],
        "x",
    ],
)
def test_an_open_of_nothing_we_know_is_stored_and_counts_for_nothing(device, event, data, opens):
    assert device.tell(event("k.message.opened", data)).status_code == 202
    assert Event.objects.count() == 1
    assert not Open.objects.exists()
    assert opens("install") == []


def test_another_apps_device_opens_nothing_here(other_device, event, notification, opens):
    assert other_device.tell(opened(event, notification)).status_code == 202
    assert opens("install") == []
    assert not Open.objects.exists()


def test_receipts_carry_the_pushs_own_meta_data(device, backend, event):
    notification = sent(
        backend.send(
            userIds=["member-1", "member-2"],
            reportingMeta={"campaign": "Summer", "type": "theirs", "seq": 0},
            userMeta={"member-1": {"seq": 1, "id": "theirs"}, "member-2": {"seq": 2}},
        )
    )
    device.tell(opened(event, notification, userId="member-1"))
    assert Event.objects.get().data == {
        "campaign": "Summer",
        "seq": 1,
        "type": 1,
        "id": notification.pk,
    }


@pytest.mark.parametrize("by", ["install", "user"])
def test_opens_of_another_apps_notification_are_not_found(other_backend, notification, by):
    answer = other_backend.ask("GET", f"/notifications/{notification.pk}/{by}-opens")
    assert answer.status_code == 404
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    "number", ["0", "-1", "999999999", "2147483648", "9" * 50, "x", "1.0", "%00", "%D9%A1", "+1"]
)
def test_opens_of_no_notification_are_not_found(backend, number):
    for by in ("install", "user"):
        answer = backend.ask("GET", f"/notifications/{number}/{by}-opens")
        assert answer.status_code == 404, answer.content
        assert isinstance(answer.json()["error"], str)
