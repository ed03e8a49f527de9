"""The Celery app: three queues of rings, heard in order, and the one-second tick."""

import os
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
)
from django.conf import settings
from kombu import Queue
from kombu.transport.redis import Channel

from gateway.beat import hear
from gateway.env import one_clear_line
from gateway.garbage import spare_what_is_loaded
from gateway.metrics import signs, tasks
from gateway.metrics.family import family
from gateway.metrics.listening import Listening
from gateway.metrics.pulse import Listens

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")

with one_clear_line():
    settings.DATABASES  # noqa: B018 - read here first by every process, whatever it goes on to do

QUEUES = ("urgent", "planning", "bulk")

app = Celery("gateway")
app.config_from_object("django.conf:settings", namespace="CELERY")
# what a worker has in hand is not given back when it lets go of a connection: kombu tries to even
# where the broker has just gone, and the worker ends of that
Channel.do_restore = False

app.conf.task_queues = [Queue(name, routing_key=name) for name in QUEUES]
app.conf.beat_scheduler = "gateway.beat:Beats"
app.conf.beat_schedule = {
    # by the names of the tasks: whoever begins one tells the beat that it was heard
    "tick": {"task": "tick", "schedule": 1.0, "options": {"queue": "urgent"}},
    "welcome_zones": {"task": "welcome_zones", "schedule": 5.0, "options": {"queue": "urgent"}},
    "add_up": {"task": "add_up", "schedule": 10.0, "options": {"queue": "urgent"}},
    "sweep": {"task": "sweep", "schedule": 60.0, "options": {"queue": "bulk"}},
    "upkeep": {"task": "upkeep", "schedule": 600.0, "options": {"queue": "bulk"}},
}
app.autodiscover_tasks(["delivery"])
app.steps["consumer"].add(Listens)


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
    spare_what_is_loaded()  # worth a fifth of a push and more


listening = Listening()


@worker_init.connect
def listen_as_a_worker(**_: Any) -> None:
    """Have a worker's metrics and readiness on a port of its own, where one is set."""
    listening.open("worker", checks=signs.WORKER)


@worker_ready.connect
def answer_as_a_worker(**_: Any) -> None:
    """Answer from now on: the first children are there, and none was forked beside a thread."""
    listening.begin()


@beat_init.connect
def answer_as_a_tick(**_: Any) -> None:
    """Have the tick's readiness on a port of its own, where one is set."""
    listening.open("tick", checks=signs.TICK)
    listening.begin()


@worker_process_init.connect
def count_in_a_child(**_: Any) -> None:
    """Show a new child's figures, and its connections from now on."""
    if family.slots is None:
        return
    from delivery import metrics  # noqa: PLC0415 - children of workers only
    from delivery.providers.vitals import vitals  # noqa: PLC0415

    metrics.begin()
    tasks.begin_with([name for name in app.tasks if not name.startswith("celery.")])
    vitals.begin()


@worker_process_shutdown.connect
def send_what_is_left(**_: Any) -> None:
    """Send the last spans of a child that ends."""
    from delivery import tracing  # noqa: PLC0415 - children of workers only

    tracing.close()


@task_prerun.connect
def begin_task(task: Any, **_: Any) -> None:
    """Note what this process is at."""
    tasks.begin(task.name)


@task_postrun.connect
def end_task(task: Any, state: str | None, **_: Any) -> None:
    """Note how it went."""
    tasks.end(task.name, state or "unknown")
