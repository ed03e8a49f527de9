"""A real browser: Debian's Chromium, headless, driven by Playwright.

Without Chromium these tests skip and say so; with `CI=true` they fail instead.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Browser, Page, expect, sync_playwright

from devstack.place import ROOT
from tests.browser.person import Person, overflows
from tests.journeys.stack import Stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PASSWORD = "correct horse battery"
PATIENCE = 20_000
"""Milliseconds anything on a page may take; five seconds are few where others use the machine."""

expect.set_options(timeout=PATIENCE)


def fits_a_phone(page: Page) -> None:
    """Fail where a page is wider than a phone; it is a desktop's again afterwards."""
    page.set_viewport_size(PHONE)
    assert overflows(page) == 0, page.url
    page.set_viewport_size(DESKTOP)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of this folder; each page gets a profile of its own.

    No longer than that: while it is there, nothing else can run an event loop on this thread.
    """
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium here, and CI must have one")
        pytest.skip("no chromium here: apt-get install chromium")
    # Playwright keeps an event loop on this thread, which Django would take for async code
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A desktop's page; a script error or a thing our own policy refuses fails the test."""
    context = chromium.new_context(viewport=DESKTOP, reduced_motion="reduce")
    page = context.new_page()
    page.bring_to_front()  # the page before it may not have let go of the focus yet
    page.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if "Content Security" in said.text else None,
    )
    yield page
    if shots := os.environ.get("SCREENSHOTS"):
        Path(shots).mkdir(parents=True, exist_ok=True)
        name = request.node.name.replace("/", "_")
        page.screenshot(path=f"{shots}/{name}.png", full_page=True)
        page.set_viewport_size(PHONE)
        page.screenshot(path=f"{shots}/{name}.phone.png", full_page=True)
    context.close()
    assert complaints == []


@pytest.fixture
def operator(transactional_db: None) -> Person:
    """A superuser who may sign in; every app is theirs."""
    get_user_model().objects.create_superuser("olga", password=PASSWORD)
    return Person("olga", PASSWORD)


@pytest.fixture
def desk(page: Page, operator: Person, live_server) -> Page:
    """The admin, with the operator signed in."""
    operator.sign_in(page, live_server.url)
    return page


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole gateway as processes of its own, with an operator who may do anything."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.start()
        olga = {"USERNAME": "olga", "EMAIL": "olga@example.com", "PASSWORD": PASSWORD}
        subprocess.run(
            [sys.executable, "manage.py", "createsuperuser", "--noinput"],
            check=True,
            cwd=ROOT,
            env={**stack.environ, **{f"DJANGO_SUPERUSER_{k}": v for k, v in olga.items()}},
        )
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def running(stack: Stack, page: Page) -> Page:
    """The admin of the gateway as it runs, with its operator signed in."""
    Person("olga", PASSWORD).sign_in(page, stack.url)
    return page
