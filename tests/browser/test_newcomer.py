"""The whole way of a newcomer, from signing in to the export of a first send; and an operator's."""

import csv
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.certificates import push_certificate
from tests.journeys.stack import exchange, wait_until


@pytest.fixture
def desk(running):
    return running


def create_app(desk, stack):
    """Make an app and give its keys, copied from the one page that shows them."""
    desk.goto(f"{stack.url}/admin/")
    desk.get_by_role("link", name=re.compile("Apps$")).first.click()
    desk.get_by_role("link", name="Add").first.click()
    desk.get_by_label("Name").fill("First steps")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("This page cannot be opened again")).to_be_visible()
    shown = dict(
        zip(
            desk.locator("dt").all_inner_texts(),
            desk.locator("dd code").all_inner_texts(),
            strict=True,
        )
    )
    desk.get_by_role("link", name="I have copied what I need").click()
    app_id = int(desk.url.rstrip("/").split("/")[-2])
    keys = {label.lower(): key for label, key in shown.items()}

    def key(word):
        [found] = [value for label, value in keys.items() if word in label]
        return found

    return {
        "id": app_id,
        "api_key": key("api key"),
        "secret_key": key("secret key"),
        "server_key": key("server key"),
    }


def add_credential(desk, stack, app, file, *, endpoint, **said):
    facts = stack.simulator.facts
    desk.goto(f"{stack.url}/admin/delivery/providercredential/add/")
    desk.locator("select[name=app]").select_option(str(app["id"]))
    desk.locator("input[type=file]").set_input_files(file)
    for name, value in {**said, "endpoint": endpoint}.items():
        desk.locator(f"[name={name}]").fill(value)
    desk.locator("[name=ca_pem]").fill(Path(facts["ca_file"]).read_text())
    desk.get_by_role("button", name="Check and store").click()
    expect(desk.get_by_text("Stored, checked and sealed")).to_be_visible()


def people(stack, app):
    """Give the names of those whose phones have registered."""
    with stack.database() as database:
        rows = database.execute(
            "SELECT u.uid FROM crm_user u JOIN crm_install i ON i.user_id = u.id"
            " JOIN crm_devicetoken t ON t.install_id = i.id WHERE u.app_id = %s ORDER BY u.id",
            [app["id"]],
        ).fetchall()
    return [uid for (uid,) in rows]


def give_plan(stack, uid, plan):
    answer = stack.call("PUT", f"/v1/users/{uid}/attributes", {"plan": plan})
    assert answer.status in {200, 201, 204}, answer


def test_a_newcomers_way_from_signing_in_to_the_export(stack, desk):
    facts = stack.simulator.facts
    app = stack.app = create_app(desk, stack)
    apns, fcm = facts["apns"], facts["fcm"]
    named = {name: apns[name] for name in ("key_id", "team_id", "topic")}
    add_credential(desk, stack, app, apns["key_file"], endpoint=facts["apns_url"], **named)
    add_credential(desk, stack, app, fcm["service_account_file"], endpoint=facts["fcm_url"])

    stack.phones(3, "ios")
    stack.phones(2, "android")
    gold, silver = people(stack, app)[:4], people(stack, app)[4]
    for uid in gold:
        give_plan(stack, uid, "gold")
    give_plan(stack, silver, "silver")

    # a segment is built, a message composed and seen as both phones show it
    desk.goto(f"{stack.url}/admin/compose/?app={app['id']}")
    desk.get_by_text("Build a new segment").click()
    builder = desk.locator(".c-builder")
    builder.get_by_label("Name of the attribute").fill("plan")
    builder.get_by_label("Value", exact=True).fill("gold")
    expect(builder.get_by_text("4 users, 4 installs, 4 devices reachable now")).to_be_visible()
    builder.get_by_label("Name of the segment").fill("Gold members")
    builder.get_by_role("button", name="Save and use").click()
    expect(desk.locator('#reach [data-count="devices"]')).to_have_text("4")
    desk.get_by_label("Title").fill("For gold members")
    desk.get_by_label("Body").fill("Your first push.")
    expect(desk.locator(".c-iphone .c-title")).to_have_text("For gold members")
    expect(desk.locator(".c-android .c-title")).to_have_text("For gold members")
    expect(desk.locator('[data-size="apns"] [data-bytes]')).to_contain_text("of 4,096 bytes")

    # it is scheduled, seen to wait, and watched to its end
    desk.get_by_label("When", exact=True).select_option("at")
    soon = datetime.now(UTC) + timedelta(seconds=90)  # by whole minutes: half a minute at least
    desk.get_by_label("Moment").fill(f"{soon:%Y-%m-%dT%H:%M}")
    desk.get_by_role("button", name="Review").click()
    expect(desk.get_by_text("Rehearsed: 1 firing")).to_be_visible()
    desk.get_by_role("button", name="Schedule").click()
    expect(desk.locator("#send")).to_be_visible()
    notification = int(desk.url.rstrip("/").rsplit("/", 1)[1])
    expect(desk.locator("[data-is=scheduled], [data-is=sending], [data-is=sent]")).to_be_visible()
    stack.finished(notification, seconds=120)
    expect(desk.locator("[data-is=sent]")).to_be_visible(timeout=20_000)
    expect(desk.locator('[data-step="accepted"] dd')).to_have_text("4")

    # the one who did not get it is asked about
    desk.get_by_role("link", name="Why did somebody not get it?").click()
    desk.get_by_label("User").first.fill(silver)
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("status")).to_contain_text("whose plan is gold")
    expect(desk.locator(".console-tree")).to_contain_text("plan: silver")

    # and the ledger is taken away
    desk.goto(f"{stack.url}/admin/sends/{notification}/")
    with desk.expect_download() as download:
        desk.get_by_role("link", name="Export as CSV").click()
    with download.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {row["verdict"] for row in rows} == {"accepted"}

    # all of it is in the log of what operators did
    desk.goto(f"{stack.url}/admin/crm/auditentry/")
    for what in ("Gold members", "First steps"):
        expect(desk.locator("#result_list").get_by_text(what).first).to_be_visible()


def metric(stack, name, **labels):
    """Give what web says of a metric now; None where it says nothing of it."""
    status, body = exchange(urllib.request.Request(f"{stack.url}/metrics"))
    assert status == 200
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def test_an_operator_sees_a_dead_worker_and_a_queue_that_ages(stack, desk):
    stack.app = stack.new_app()
    stack.tokens(50)
    stack.kill("worker")
    stack.broadcast(title="Nobody sends this")

    # in the metrics the alerts are made of: promtool's test sees these fire
    wait_until(
        "a firing waits",
        lambda: (metric(stack, "gateway_occurrences_oldest_seconds") or 0) > 3,
        seconds=30,
    )
    # on the pages: nothing pretends to be done
    desk.goto(f"{stack.url}/admin/")
    expect(desk.get_by_text("Nobody sends this")).to_have_count(0)
    notification = desk.goto(f"{stack.url}/admin/delivery/notification/")
    assert notification.status == 200
    expect(desk.locator("#result_list tbody tr").first).to_contain_text("Nobody sends this")
    expect(desk.locator("#result_list tbody tr").first).to_contain_text("sending")

    # once a worker is there again it is sent, and the page says so
    stack.start_worker()
    desk.get_by_role("link", name="Nobody sends this").click()
    expect(desk.locator("[data-is=sent]")).to_be_visible(timeout=40_000)
    expect(desk.locator('[data-step="accepted"] dd')).to_have_text("50")


def test_an_operator_sees_a_certificate_near_its_end(stack, desk, tmp_path):
    app = stack.app = stack.new_app()
    ending = tmp_path / "push.pem"
    ending.write_text(push_certificate(stack.base / "simulator", ended=False))
    add_credential(desk, stack, app, ending, endpoint=stack.simulator.facts["apns_url"])

    for page in ("/admin/", "/admin/delivery/providercredential/"):
        desk.goto(f"{stack.url}{page}")
        expect(desk.get_by_role("alert").filter(has_text="Upload its successor")).to_be_visible()
    left = wait_until(
        "the metric tells of it",
        lambda: metric(stack, "gateway_credential_expiry_seconds", app=str(app["id"])),
        seconds=15,
    )
    assert 0 < left < timedelta(days=1).total_seconds()
