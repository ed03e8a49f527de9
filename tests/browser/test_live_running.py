"""The whole gateway as it runs: what is composed in a browser is watched there to its end."""

import csv

from playwright.sync_api import expect

DEVICES = 400
SLOW, QUICK = 5, 400
"""Pushes a second, for each of two credentials: at first the second batch of each is 20 s away."""


def keep_pace(stack, pace):
    with stack.database() as database:
        database.execute(
            "UPDATE delivery_providercredential SET pace = %s WHERE app_id = %s",
            [pace, stack.app["id"]],
        )


def test_a_send_composed_here_is_watched_paused_resumed_and_taken_away(stack, running):
    page, stack.app = running, stack.new_app()
    stack.tokens(DEVICES // 2, "apns")
    stack.tokens(DEVICES // 2, "fcm")
    keep_pace(stack, SLOW)
    page.goto(f"{stack.url}/admin/compose/?app={stack.app['id']}")
    page.get_by_label("Title").fill("From a browser")
    page.get_by_label("Body").fill("To four hundred devices, at ten a second.")
    page.get_by_label("Everyone").check()
    expect(page.locator('#reach [data-count="devices"]')).to_have_text(str(DEVICES))
    expect(page.locator('[data-said="takes"]')).to_contain_text("by the pace")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("[data-is=sending]")).to_be_visible()
    notification = int(page.url.rstrip("/").rsplit("/", 1)[1])

    accepted = page.locator('[data-step="accepted"] dd')
    expect(accepted).not_to_have_text("0")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-is=paused]")).to_be_visible()
    expect(page.get_by_text(f"of {DEVICES} have it")).to_be_visible()
    occurrence = stack.occurrence(notification)
    assert occurrence["accepted"] < DEVICES

    keep_pace(stack, QUICK)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-is=sending]")).to_be_visible()
    stack.finished(notification, seconds=150)
    expect(page.locator("[data-is=sent]")).to_be_visible(timeout=20_000)
    expect(accepted).to_have_text(str(DEVICES))
    expect(page.locator('[data-rows="platforms"] tr')).to_have_count(2)

    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    with download.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == DEVICES
    assert {row["verdict"] for row in rows} == {"accepted"}
    assert {row["platform"] for row in rows} == {"apns", "fcm"}
