"""Where the vendor's pages are silent or disagree (contracts/kumulos §6): what had no test else."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from kumulos_calls import refused, sent

from crm.models import ChannelSubscription
from delivery import fanout
from delivery.models import Batch, Occurrence

PAGE = Path(__file__).parents[3] / "docs" / "compat" / "kumulos.md"
SPELLINGS = {
    "zoned": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000"),
    "bare": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    "offset": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"),
}


def test_each_of_the_thirty_four_has_a_row_with_its_test():
    rows = re.findall(r"^\| (\d\d?) \|.*\| (.*) \|$", PAGE.read_text(), re.MULTILINE)

    assert [int(number) for number, _ in rows] == list(range(1, 35))
    assert all("`test_" in tests for _, tests in rows)


def test_every_resource_spells_moments_in_its_own_way(backend, device, event):
    push = backend.send(broadcast=True).json()
    channel = backend.ask("POST", "/channels", {"uuid": "news"}).json()
    template = {"name": "Welcome", "uid": "welcome", "content": {}}
    template = backend.ask("POST", "/v1/templates/in-app", template).json()
    device.tell(event("k.message.opened", {"type": 1, "id": push["id"]}), event("k.fg"))
    user = backend.ask("GET", "/v2/users?currentPage=1&numberPerPage=50").json()["users"][0]
    opens = backend.ask("GET", f"/notifications/{push['id']}/install-opens").json()

    for spelling, moments in {
        "zoned": [push["createdAt"], push["updatedAt"], template["createdAt"]],
        "bare": [channel["createdAt"], channel["updatedAt"], opens[0]["openedAt"]],
        "offset": [
            *(user[key] for key in ("createdAt", "updatedAt", "firstActive", "lastActive")),
            user["installs"][0]["lastActive"],
        ],
    }.items():
        for moment in moments:
            assert SPELLINGS[spelling].fullmatch(moment), (spelling, moment)


def test_a_background_push_needs_a_title_and_a_message_too(backend):
    body = {"broadcast": True, "isBackground": True}

    refused(backend.ask("POST", "/notifications", body), "title", "message")


@pytest.mark.parametrize("by", ["an install", "a user"])
def test_what_was_subscribed_before_signing_in_stays_with_whom_it_was(backend, device, event, by):
    backend.ask("POST", "/channels", {"uuid": "news"})
    where = {"an install": "/v1/app-installs/me", "a user": "/v1/users/me"}[by]
    device.ask("POST", f"{where}/channels/subscriptions", {"uuids": ["news"]})
    before = set(ChannelSubscription.objects.values_list("install__uid", "user__uid"))

    device.tell(event("k.stats.userAssociated", {"id": "mark"}), install="me")

    after = set(ChannelSubscription.objects.values_list("install__uid", "user__uid"))
    assert before == after == {("me", None) if by == "an install" else (None, "me")}


def test_whom_a_scheduled_send_is_for_is_asked_when_it_fires(backend, phones):
    phones.ring("before", user="mark")
    when = {"sendAt": "2099-01-01 09:30", "strategy": "utc", "pastTimes": "ignore"}
    notification = sent(backend.send(userIds=["mark"], scheduled=True, schedule=when))
    phones.install("before", user="anna")
    later = phones.ring("after", user="mark")

    occurrence = notification.occurrences.get()
    due = timezone.now() - timedelta(seconds=1)
    Occurrence.objects.filter(pk=occurrence.pk).update(due_at=due)
    list(fanout.plan_batches(occurrence.pk))

    [batch] = Batch.objects.filter(occurrence=occurrence)
    assert list(batch.token_ids) == [later.pk]


def test_what_a_device_says_of_itself_is_passed_on_as_it_is(backend, device, event):
    said = {"app": {"version": "id-1"}, "device": {"name": "mia2", "locale": "US"}}
    device.tell(event("k.stats.installTracked", said))

    page = backend.ask("GET", "/v2/users?currentPage=1&numberPerPage=50").json()
    [install] = page["users"][0]["installs"]
    assert (install["appVersion"], install["locale"]) == ("id-1", "US")
