"""The Celery app: three queues of rings, heard in order, and the one-second tick."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, task_prerun, worker_init
from django.conf import settings
from kombu import Queue

from gateway.beat import hear
from gateway.env import one_clear_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")

with one_clear_line():
    settings.DATABASES  # noqa: B018 - read here first by every process, whatever it goes on to do

QUEUES = ("urgent", "planning", "bulk")

app = Celery("gateway")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name, routing_key=name) for name in QUEUES]
app.conf.beat_scheduler = "gateway.beat:Beats"
app.conf.beat_schedule = {
    # by the names of the tasks: whoever begins one tells the beat that it was heard
    "tick": {"task": "tick", "schedule": 1.0, "options": {"queue": "urgent"}},
    "welcome_zones": {"task": "welcome_zones", "schedule": 5.0, "options": {"queue": "urgent"}},
    "sweep": {"task": "sweep", "schedule": 60.0, "options": {"queue": "bulk"}},
    "upkeep": {"task": "upkeep", "schedule": 600.0, "options": {"queue": "bulk"}},
}
app.autodiscover_tasks(["delivery"])


@worker_init.connect
@beat_init.connect
def insist_on_a_key(**_: Any) -> None:
    """Stop at once where SECRET_KEY is missing, not with the first thing to unseal."""
    with one_clear_line():
        settings.SECRET_KEY  # noqa: B018 - reading it is the question


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Log in the gateway's own shape, which Django has set up."""


@task_prerun.connect
def drop_dead_connections(**_: Any) -> None:
    """Notice a database that went away between two tasks; without it a child fails for ever."""
    from django.db import close_old_connections  # noqa: PLC0415 - settings are read by then

    close_old_connections()


@task_prerun.connect
def answer_the_beat(task: Any, **_: Any) -> None:
    """Have the beat ring on: somebody hears it."""
    if task.name in app.conf.beat_schedule:
        hear(task.name)


@worker_init.connect
def preload_providers(**_: Any) -> None:
    """Have the children share what takes longest to import."""
    from delivery.providers.registry import preload  # noqa: PLC0415 - workers only

    preload()
    # what is here now stays: sparing it from every full collection is worth a fifth of a push
    gc.collect()
    gc.freeze()
