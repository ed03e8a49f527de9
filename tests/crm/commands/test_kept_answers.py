"""Calls under a key: one transaction with what they do, and nothing left of one that dies."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from crm.commands import kept_answers
from crm.commands.kept_answers import (
    Answer,
    Call,
    KeyReused,
    StillRunning,
    answer_once,
    forget_answers,
)
from crm.models import Channel, KeptAnswer
from tests.at_once import at_once


@pytest.fixture
def call(app):
    return Call(app=app, door="server", key="k", ask=b"POST /channels {}")


@pytest.fixture
def make(app):
    def run() -> Answer:
        made = Channel.objects.create(app=app, uuid=str(uuid4()))
        return Answer(201, str(made.pk).encode())

    return run


def test_the_second_call_is_given_the_first_ones_answer(call, make):
    first = answer_once(call, make)
    assert answer_once(call, make) == first._replace(replayed=True)
    assert Channel.objects.count() == 1


def test_another_ask_is_refused(call, make):
    answer_once(call, make)
    with pytest.raises(KeyReused):
        answer_once(replace(call, ask=b"other"), make)


def test_what_fails_leaves_the_key_free(call, make):
    def fail():
        make()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answer_once(call, fail)
    assert not Channel.objects.exists()
    assert not answer_once(call, make).replayed


@pytest.mark.django_db(transaction=True)
def test_whoever_comes_while_it_runs_is_sent_away(call, make):
    elsewhere = replace(call, door="device")

    def look():
        [found] = at_once(lambda: answer_once(call, make))
        assert isinstance(found, StillRunning)
        [other] = at_once(lambda: answer_once(elsewhere, make))
        assert isinstance(other, Answer), "a key behind another door is free"
        return make()

    assert not answer_once(call, look).replayed


def test_an_answer_past_its_time_is_none(call, make, settings):
    answer_once(call, make)
    KeptAnswer.objects.update(created_at=timezone.now() - settings.IDEMPOTENCY_RETENTION)
    other = replace(call, ask=b"other")
    assert not answer_once(other, make).replayed
    assert answer_once(other, make).replayed, "it has taken the old one's place"


def test_answers_past_their_time_are_dropped_in_slices(call, app, settings, monkeypatch):
    monkeypatch.setattr(kept_answers, "SLICE", 2)
    now = timezone.now()
    old = now - settings.IDEMPOTENCY_RETENTION - timedelta(seconds=1)
    for number in range(7):
        KeptAnswer.objects.create(
            app=app,
            door="server",
            key=str(number),
            mark=b"",
            status=201,
            sealed=b"",
            created_at=old if number < 5 else now,
        )
    monkeypatch.setattr(kept_answers, "MOST_SLICES", 2)
    assert forget_answers(now=now) == 4
    assert forget_answers(now=now) == 1
    assert KeptAnswer.objects.count() == 2


VICTIM = """
import django, sys, time
django.setup()
from crm.commands.kept_answers import Answer, Call, answer_once
from crm.models import App, Channel

def run():
    Channel.objects.create(app_id=int(sys.argv[1]))
    print("made", flush=True)
    time.sleep(60)

app = App.objects.get(pk=int(sys.argv[1]))
answer_once(Call(app=app, door="server", key="k", ask=b"POST /channels {}"), run)
"""


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_in_the_middle_leaves_the_key_free(call, make):
    told = connection.settings_dict
    where = f"{quote(told['USER'])}:{quote(told['PASSWORD'])}@{quote(told['HOST'], safe='')}"
    url = f"postgresql://{where}:{told['PORT']}/{told['NAME']}"
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "SECRET_KEY": "x",
    }
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(call.app.pk)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with victim:
        try:
            assert victim.stdout.readline() == "made\n"
            with pytest.raises(StillRunning):
                answer_once(call, make)
        finally:
            victim.kill()
    answer = until_free(lambda: answer_once(call, make))
    assert not answer.replayed
    assert Channel.objects.count() == 1


def until_free(ask):
    """Ask as a caller does who is told to come again."""
    ends_at = time.monotonic() + 20
    while time.monotonic() < ends_at:
        try:
            return ask()
        except StillRunning:
            time.sleep(0.05)
    pytest.fail("the key was never free again")
