"""Events: made, listed, read, changed and deleted (contracts/connectycube §7)."""

import json
from base64 import b64decode, b64encode
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from connectycube_calls import APNS_TOKEN, FCM_TOKEN, errors, universal
from django.utils import timezone

from crm.commands.apps import ChangeApp, change_app
from crm.models import User
from delivery import dispatch
from delivery.fanout import plan_batches
from delivery.models import Notification, Occurrence
from delivery.tasks import fan_out
from gateway.connectycube.events.recipients import MOST_NAMED

KEYS = [
    *("id", "event_type", "message", "date", "period", "name", "occured_count", "created_at"),
    *("updated_at", "end_date", "active", "application_id", "user_id", "kind", "environment"),
    *("tag_query", "notification_channel"),
]
DAY = 86400
NOBODY = ["No one can receive the message"]


def soon(seconds=3600):
    return int(timezone.now().timestamp()) + seconds


def bodies(answer, status=201):
    assert answer.status_code == status, answer.content
    said = answer.json()
    return [one["event"] for one in (said if isinstance(said, list) else [said])]


def body(answer, status=200):
    [one] = bodies(answer, status)
    return one


def audience(event):
    return Notification.objects.get(pk=event["id"]).audience


def channels(events):
    return [event["notification_channel"]["name"] for event in events]


@pytest.fixture
def phone(john):
    """Subscribe John's iPhone."""
    assert john.subscribe().status_code == 201
    return john


@pytest.fixture
def android(john):
    said = {"notification_channel": "gcm", "platform": "android", "udid": "android-1"}
    assert john.subscribe(FCM_TOKEN, **said).status_code == 201
    return john


@pytest.fixture
def run(memory):
    """Let every due firing be planned and sent, as workers do."""
    memory()

    def work():
        due = Occurrence.objects.filter(state="due", due_at__lte=timezone.now())
        for occurrence in due.select_related("notification"):
            fan_out(occurrence.pk, occurrence.notification.lane)
        for lane in ("urgent", "bulk"):
            while dispatch.deliver_next(lane):
                pass

    return work


# -- the answer


def test_an_event_without_push_type_is_a_list_of_one_for_each_channel(phone, android):
    events = bodies(phone.send(name="Hello"))
    assert channels(events) == ["apns", "gcm"]
    for event in events:
        assert list(event) == KEYS
        assert event["event_type"] == "one_shot"
        assert (event["occured_count"], event["active"], event["kind"]) == (0, True, "API")
        assert (event["name"], event["environment"]) == ("Hello", "development")
        assert (event["user_id"], event["application_id"]) == (phone.user.pk, phone.keys.app.pk)
        assert [event[key] for key in ("date", "period", "end_date", "tag_query")] == [None] * 4


def test_an_event_with_a_push_type_is_one_object(phone, android):
    answer = phone.send(push_type="gcm")
    assert isinstance(answer.json(), dict)
    assert channels(bodies(answer)) == ["gcm"]


@pytest.mark.parametrize(("shape", "kind"), [("array", list), ("object", dict)])
def test_an_application_may_want_the_answer_in_one_shape(phone, shape, kind):
    change_app(ChangeApp(app=phone.keys.app, cube_event_answer=shape))
    for said in ({}, {"push_type": "apns"}):
        assert isinstance(phone.send(**said).json(), kind)


@pytest.mark.parametrize("said", ["fcm", "GCM", "Gcm"])
def test_a_push_type_is_written_in_any_case_and_fcm_is_gcm(android, said):
    assert channels(bodies(android.send(push_type=said))) == ["gcm"]


def test_a_form_makes_an_event_as_json_does(phone):
    form = {
        "event[notification_type]": "push",
        "event[environment]": "development",
        "event[user][ids]": f"{phone.user.pk},7",
        "event[message]": universal(message="Hello"),
        "event[event_type]": "one_shot",
    }
    [event] = bodies(phone.ask("POST", "/events.json", urlencode(form)))
    assert audience(event)["user_ids"] == [phone.user.pk, 7]


def test_keys_of_newer_clients_and_nulls_are_ignored(phone):
    assert phone.send(id=None, date=None, period=None, unknown={"a": 1}).status_code == 201


# -- what is refused


def test_every_bad_member_is_named_at_once(phone):
    refused = errors(phone.ask("POST", "/events", {"event": {"name": "x"}}), 422)
    assert refused == {
        "notification_type": ["can't be blank"],
        "environment": ["can't be blank"],
        "message": ["can't be blank"],
        "base": ["recipients can't be blank"],
    }


@pytest.mark.parametrize("said", [{}, {"event": None}, {"event": {}}, {"event": ""}])
def test_no_event_is_blank(phone, said):
    assert errors(phone.ask("POST", "/events", said), 422) == {"event": ["can't be blank"]}


@pytest.mark.parametrize(
    ("said", "field", "reason"),
    [
        ({"notification_type": "email"}, "notification_type", "is not supported"),
        ({"notification_type": "fax"}, "notification_type", "is not included in the list"),
        ({"push_type": "web"}, "push_type", "is not supported"),
        ({"push_type": "wns"}, "push_type", "is not included in the list"),
        ({"environment": "staging"}, "environment", "is not included in the list"),
        ({"event_type": "weekly"}, "event_type", "is not included in the list"),
        ({"event_type": "fixed_date"}, "date", "can't be blank"),
        ({"event_type": "period_date", "date": 2**33}, "period", "can't be blank"),
        ({"period": DAY}, "date", "can't be blank"),
        ({"period": 3600, "date": 2**33}, "period", "is not included in the list"),
        ({"date": 1544010993}, "date", "is in the past"),
        ({"date": "tomorrow"}, "date", "is invalid"),
        ({"date": 10**15}, "date", "is invalid"),
        ({"date": 2**33, "end_date": 2**33 - 1, "period": DAY}, "end_date", "is before date"),
        ({"date": 1000, "end_date": 2000, "period": DAY}, "end_date", "is in the past"),
        ({"name": "x" * 256}, "name", "is too long (maximum is 255 characters)"),
        ({"message": "***"}, "message", "is invalid"),
        ({"message": 5}, "message", "is invalid"),
        ({"message": universal(message="x" * 5000)}, "message", "is too long"),
        ({"user": {"ids": "a,b"}}, "ids", "is invalid"),
        ({"user": {"ids": [True]}}, "ids", "is invalid"),
        ({"user": "x"}, "user", "is invalid"),
        ({"user": {"tags": "vip"}}, "tags", "is invalid"),
        ({"ttl": -1}, "ttl", "is invalid"),
    ],
)
def test_what_makes_no_sense_is_refused_under_its_bare_name(phone, said, field, reason):
    refused = errors(phone.send(**said), 422)
    assert refused[field] == [reason]
    assert not Notification.objects.exists()


def test_the_ids_of_one_call_are_bounded(phone):
    many = [phone.user.pk, *range(10**6, 10**6 + MOST_NAMED - 1)]
    assert phone.send(user={"ids": many}).status_code == 201
    refused = errors(phone.send(user={"ids": [*many, 1]}), 422)
    assert refused["ids"] == [f"is too long (maximum is {MOST_NAMED} items)"]


def test_an_application_may_have_a_default_environment(phone):
    change_app(ChangeApp(app=phone.keys.app, cube_default_environment="development"))
    [event] = bodies(phone.send(environment=None))
    assert event["environment"] == "development"


def test_nobody_who_can_receive_it_is_a_refusal_of_its_own(john, jane, settings):
    assert errors(john.send(), 422) == NOBODY
    jane.subscribe()
    assert errors(john.send(), 422) == NOBODY
    others = {"ids": str(jane.user.pk)}
    assert errors(john.send(user=others, environment="production"), 422) == NOBODY
    assert errors(john.send(user=others, push_type="gcm"), 422) == NOBODY
    assert errors(john.send(date=soon()), 422) == NOBODY
    assert not Notification.objects.exists()
    settings.ACCEPT_UNREACHABLE = True
    assert channels(bodies(john.send())) == ["apns", "gcm"]


# -- recipients


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ({"user": {"ids": "{id}, 7"}}, {"user_ids": ["{id}", 7]}),
        ({"user": {"ids": ["{id}", 7, 2**40]}}, {"user_ids": ["{id}", 7]}),
        ({"user": {"ids": "{id}"}, "external_user": {"ids": "x9"}}, None),
        ({"external_user": {"ids": ["crm-17"]}}, {"external_ids": ["crm-17"]}),
        ({"user": {"tags": {"any": "vip, b"}}}, {"any_tags": ["vip", "b"]}),
        ({"user": {"tags": {"all": ["vip"]}}}, {"all_tags": ["vip"]}),
        ({"user": {"tags": {"exclude": "b"}}}, {"except_tags": ["b"]}),
    ],
)
def test_recipients_are_named_in_several_ways(cube, person, said, stored):
    john = cube.of(person("john", external_id="crm-17", tags=["vip"]))
    john.subscribe()
    text = json.dumps(said).replace("{id}", str(john.user.pk))
    [event] = bodies(john.send(**{"user": {}, **json.loads(text)}))
    named = {k: v for k, v in audience(event).items() if k != "devices"}
    if stored is not None:
        assert json.dumps(named) == json.dumps(stored).replace('"{id}"', str(john.user.pk))
    assert audience(event)["devices"] == {"transports": ["apns"], "environment": "sandbox"}


def test_tags_are_answered_as_a_text_of_json(cube, person):
    john = cube.of(person("john", tags=["doctor"]))
    john.subscribe()
    [event] = bodies(john.send(user={"tags": {"any": "doctor"}}))
    assert event["tag_query"] == '{"any":"doctor"}'


def test_another_applications_users_never_match(john, other_cube, phones):
    john.subscribe()
    stranger = other_cube.of(User.objects.create(app=other_cube.keys.app, uid="s", login="s"))
    stranger.subscribe("ab" * 32)
    assert errors(john.send(user={"ids": str(stranger.user.pk)}), 422) == NOBODY


# -- messages


def test_a_universal_message_is_kept_as_each_channel_carries_it(phone, android):
    params = {"message": "Walking in a flowers garden", "ios_badge": 2, "user_id": "51"}
    apns, gcm = bodies(phone.send(message=universal(**params)))
    payload = json.loads(b64decode(apns["message"].removeprefix("payload=")))
    assert payload == {
        "aps": {"alert": {"body": "Walking in a flowers garden"}, "badge": 2},
        "user_id": "51",
    }
    assert gcm["message"] == ("data.message=V2Fsa2luZytpbithK2Zsb3dlcnMrZ2FyZGVu&data.user_id=NTE=")


def test_a_platform_message_goes_to_its_own_family_and_is_kept_as_sent(phone, android):
    said = b64encode(b'{"aps":{"alert":"Hi"}}').decode()
    [event] = bodies(phone.send(message=f"payload={said}"))
    assert (channels([event]), event["message"]) == (["apns"], f"payload={said}")
    refused = errors(phone.send(message=f"payload={said}", push_type="gcm"), 422)
    assert "message" in refused


def test_a_call_rings_whoever_can_be_called_and_nobody_else_twice(cube, person, run, memory):
    called, plain = cube.of(person("called")), cube.of(person("plain"))
    called.subscribe("aa" * 32, notification_channels="apns,apns_voip")
    plain.subscribe("bb" * 32)
    ids = {"ids": [called.user.pk, plain.user.pk]}
    message = universal(message="Ring", ios_voip=1)
    voip, apns = bodies(called.send(user=ids, message=message))
    assert channels([voip, apns]) == ["apns_voip", "apns"]
    run()
    reached = {o.notification_id: o.targeted for o in Occurrence.objects.all()}
    assert reached == {voip["id"]: 1, apns["id"]: 1}
    [ordinary] = bodies(called.send(user=ids, push_type="apns"))
    run()
    assert Occurrence.objects.get(notification=ordinary["id"]).targeted == 2


def test_without_the_flag_calls_are_left_alone(john):
    john.subscribe(notification_channels="apns_voip")
    assert errors(john.send(), 422) == NOBODY
    assert channels(bodies(john.send(push_type="apns_voip"))) == ["apns_voip"]


def test_an_expiration_is_how_long_the_push_is_tried(phone):
    [event] = bodies(phone.send(message=universal(message="x", expiration=soon(600))))
    left = Notification.objects.get(pk=event["id"]).time_to_live
    assert timedelta(seconds=590) < left < timedelta(seconds=610)
    [event] = bodies(phone.send(ttl=60, date=soon()))
    assert Notification.objects.get(pk=event["id"]).time_to_live == timedelta(seconds=60)


# -- schedules, and what the engine makes of them


def test_one_shot_counts_its_run_and_is_over(phone, run):
    [event] = bodies(phone.send())
    run()
    now = body(phone.ask("GET", f"/events/{event['id']}"))
    assert (now["occured_count"], now["active"]) == (1, False)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({}, "one_shot"),
        ({"date": "{soon}"}, "fixed_date"),
        ({"date": "{soon}", "period": DAY}, "period_date"),
        ({"date": "{soon}", "event_type": "one_shot"}, "one_shot"),
        ({"date": "{soon}", "period": str(DAY), "event_type": "fixed_date"}, "fixed_date"),
    ],
)
def test_how_often_follows_from_what_is_said(phone, said, kind):
    date = soon()
    said = {key: date if value == "{soon}" else value for key, value in said.items()}
    [event] = bodies(phone.send(**said))
    assert (event["event_type"], event["date"]) == (kind, said.get("date"))
    due = Occurrence.objects.get(notification=event["id"]).due_at
    assert (int(due.timestamp()) == date) is (kind != "one_shot")


def test_a_period_fires_again_and_again_until_its_end(phone, run):
    date, end = soon(), soon() + DAY
    [event] = bodies(phone.send(date=str(date), period=DAY, end_date=end))
    assert (event["date"], event["period"], event["end_date"]) == (date, DAY, end)
    past = timezone.now() - timedelta(seconds=3700)
    shift(event, past)
    run()
    now = body(phone.ask("GET", f"/events/{event['id']}"))
    assert (now["occured_count"], now["active"]) == (1, True)


def shift(event, date):
    """Make it an event that was asked for with this date."""
    notification = Notification.objects.get(pk=event["id"])
    notification.schedule["at"] = date.isoformat()
    notification.save()
    notification.occurrences.filter(state="due").update(due_at=date)


def test_a_period_whose_date_is_past_begins_at_its_next_moment(phone):
    date = soon(-DAY - 60)
    [event] = bodies(phone.send(date=date, period=DAY))
    due = Occurrence.objects.get(notification=event["id"]).due_at
    assert int(due.timestamp()) == date + 2 * DAY


# -- listing and reading


def test_events_are_listed_to_their_author_oldest_first_and_in_pages(phone, jane):
    made = [bodies(phone.send(name=str(n)))[0]["id"] for n in range(12)]
    page = phone.ask("GET", "/events?per_page=5&page=3").json()
    assert list(page) == ["current_page", "per_page", "total_entries", "items"]
    assert (page["current_page"], page["per_page"], page["total_entries"]) == (3, 5, 12)
    assert [item["event"]["id"] for item in page["items"]] == made[10:]
    assert len(phone.ask("GET", "/events.json").json()["items"]) == 10
    for wide in ("page=0&per_page=0", "page=-1&per_page=-5", "page=x"):
        assert phone.ask("GET", f"/events?{wide}").json()["current_page"] == 1
    assert phone.ask("GET", "/events?per_page=1000").json()["per_page"] == 100
    assert jane.ask("GET", "/events").json()["items"] == []


def test_anybody_of_the_application_reads_an_event_and_its_author_alone_changes_it(
    phone, jane, other_cube, person
):
    [event] = bodies(phone.send(date=soon()))
    path = f"/events/{event['id']}"
    assert body(jane.ask("GET", f"{path}.json")) == event
    assert body(jane.ask("GET", f"{path}/status")) == event
    for method in ("PUT", "POST", "DELETE"):
        refused = errors(jane.ask(method, path, {"event": {"active": False}}), 403)
        assert refused == {"base": ["Access denied"]}
    stranger = other_cube.of(User.objects.create(app=other_cube.keys.app, uid="s", login="s"))
    for method in ("GET", "PUT", "DELETE"):
        assert errors(stranger.ask(method, path, {"event": {}}), 404)
    for unknown in ("0", "2147483648", "x", "1.5"):
        assert errors(phone.ask("GET", f"/events/{unknown}"), 404) == ["The resource wasn't found"]


# -- changing one's mind


def test_an_event_is_paused_and_taken_up_again(phone, run):
    date = soon()
    [event] = bodies(phone.send(date=date, period=DAY))
    path = f"/events/{event['id']}"
    assert body(phone.ask("PUT", path, {"event": {"active": "false"}}))["active"] is False
    assert not Occurrence.objects.filter(state="due").exists()
    again = body(phone.ask("PUT", path, {"event": {"active": 1}}))
    assert (again["active"], again["occured_count"]) == (True, 0)
    due = Occurrence.objects.get(state="due").due_at
    assert int(due.timestamp()) == date


def test_pausing_and_deleting_half_way_count_who_has_it(john, settings, memory):
    memory()
    settings.BATCH_SIZE = 2
    for n in range(8):
        said = {"notification_channel": "gcm", "platform": "android", "udid": f"android-{n}"}
        assert john.subscribe(f"{FCM_TOKEN}{n}", **said).status_code == 201
    [event] = bodies(john.send())
    run = Occurrence.objects.get(notification=event["id"])
    list(plan_batches(run.pk))

    def sent(batches):
        done = [dispatch.deliver_next("urgent") for _ in range(batches)]
        run.refresh_from_db()
        assert run.targeted == run.accepted + run.cancelled + run.pending
        return done, run.accepted, run.pending

    def told(method, active):
        event_now = body(john.ask(method, f"/events/{event['id']}", {"event": {"active": active}}))
        return event_now["active"], event_now["occured_count"]

    assert sent(1) == ([True], 2, 6)
    assert told("PUT", False) == (False, 1)
    assert sent(4) == ([True] * 3 + [False], 2, 6)
    assert told("PUT", True) == (True, 1)
    assert sent(1) == ([True], 4, 4)
    assert john.ask("DELETE", f"/events/{event['id']}").status_code == 200
    assert sent(2) == ([True, True], 4, 0)
    assert (run.cancelled, run.state) == (4, "finished")


def test_an_event_that_is_over_is_sent_again_at_once(phone, run):
    [event] = bodies(phone.send())
    run()
    again = body(phone.ask("PUT", f"/events/{event['id']}", {"event": {"active": True}}))
    assert (again["occured_count"], again["active"]) == (1, True)
    run()
    now = body(phone.ask("GET", f"/events/{event['id']}"))
    assert (now["occured_count"], now["active"]) == (2, False)


def test_message_date_period_and_name_can_be_changed_and_nothing_else(phone):
    [event] = bodies(phone.send(date=soon(), period=DAY))
    path, date = f"/events/{event['id']}", soon(7200)
    change = {
        "message": universal(message="Changed"),
        "date": date,
        "period": 604800,
        "end_date": date + 604800,
        "name": "New",
        "environment": "production",
        "user": {"ids": "1"},
    }
    now = body(phone.ask("POST", path, {"event": change}))
    assert (now["date"], now["period"], now["end_date"]) == (date, 604800, date + 604800)
    assert (now["name"], now["environment"]) == ("New", "development")
    payload = json.loads(b64decode(now["message"].removeprefix("payload=")))
    assert payload == {"aps": {"alert": {"body": "Changed"}}}
    assert int(Occurrence.objects.get().due_at.timestamp()) == date
    assert Notification.objects.get().message["payload"] == payload


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"date": 1000}, "date"),
        ({"date": "x"}, "date"),
        ({"period": 5}, "period"),
        ({"end_date": 1}, "end_date"),
        ({"message": "***"}, "message"),
        ({"message": "data.message=SGk="}, "message"),
        ({"active": "maybe"}, "active"),
        ({"name": "x" * 256}, "name"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(phone, change, field):
    [event] = bodies(phone.send(date=soon()))
    path = f"/events/{event['id']}"
    said = {"name": "New", **change}
    assert field in errors(phone.ask("PUT", path, {"event": said}), 422)
    assert body(phone.ask("GET", path)) == event


def test_a_date_of_a_one_shot_event_is_only_kept(phone, run):
    [event] = bodies(phone.send())
    run()
    date = soon()
    now = body(phone.ask("PUT", f"/events/{event['id']}", {"event": {"date": date}}))
    assert (now["date"], now["active"], now["occured_count"]) == (date, False, 1)


def test_a_deleted_event_fires_no_more_and_is_gone(phone, run):
    [event] = bodies(phone.send(date=soon()))
    path = f"/events/{event['id']}"
    answer = phone.ask("DELETE", path)
    assert (answer.status_code, answer.content) == (200, b"")
    for method in ("GET", "PUT", "DELETE"):
        assert errors(phone.ask(method, path, {"event": {"active": True}}), 404)
    assert phone.ask("GET", "/events").json()["items"] == []
    assert {o.state for o in Occurrence.objects.all()} == {"cancelled"}


def test_the_moment_of_the_last_change_is_told(phone):
    [event] = bodies(phone.send(date=soon()))
    Notification.objects.update(updated_at=timezone.now() - timedelta(hours=1))
    now = body(phone.ask("PUT", f"/events/{event['id']}", {"event": {"name": "x"}}))
    assert now["updated_at"] >= event["updated_at"]


def test_a_change_of_nothing_is_a_refusal(phone):
    [event] = bodies(phone.send(date=soon()))
    refused = errors(phone.ask("PUT", f"/events/{event['id']}", {}), 422)
    assert refused == {"event": ["can't be blank"]}


def test_where_the_token_is_sandboxed_the_push_is_too(phone):
    assert errors(phone.send(environment="production"), 422) == NOBODY
    phone.subscribe(APNS_TOKEN, environment="production")
    [event] = bodies(phone.send(environment="production"))
    assert audience(event)["devices"]["environment"] == "production"
