"""`manage.py set_app APP_ID …`: what an operator decides for an app."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.core.management.base import CommandError
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_string

from crm.commands.apps import SETTINGS, ChangeApp, change_app, check_prompts
from crm.errors import DomainError, Invalid
from crm.management.recorded import Recorded
from crm.models import App

ANSWERS = {"yes": True, "no": False}
YES_OR_NO = ("cube_signature_required", "cube_creates_users")


class Command(Recorded):
    """Change what is given of an app and print all that can be set."""

    help = "Set what an app's clients differ in; '' and {} clear."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the app, what to set, and the form of the answer."""
        parser.add_argument("app_id", type=int)
        parser.add_argument(
            "--rate-limit",
            type=read_number,
            metavar="N",
            help="requests a second through each of its doors; '' as the settings say, 0 no limit",
        )
        parser.add_argument(
            "--cap-pushes",
            type=read_number,
            metavar="N",
            help="at most so many bulk pushes to one device within the window; '' no cap",
        )
        parser.add_argument(
            "--cap-window",
            type=read_window,
            metavar="SPAN",
            help="how long a push counts against the cap: [days] hours:minutes:seconds, or P7D",
        )
        parser.add_argument(
            "--resend-uncertain",
            choices=App.Resend.values,
            help="which pushes without an answer are sent once more, and perhaps doubled",
        )
        parser.add_argument(
            "--kumulos-v2-status",
            type=int,
            choices=App.V2Status.values,
            help="what POST /v2/notifications answers: Apprise knows 200, the Java client 202",
        )
        parser.add_argument("--web-icon-url", metavar="URL", help="the icon of web pushes")
        parser.add_argument("--web-prompts", metavar="JSON", help="the web SDK's prompts by name")
        parser.add_argument("--safari-push-id", metavar="ID", help="web.com.example")
        parser.add_argument(
            "--cube-signature-required", choices=ANSWERS, help="whether sessions must be signed"
        )
        parser.add_argument(
            "--cube-creates-users",
            choices=ANSWERS,
            help="whether a session for someone unknown makes them known",
        )
        parser.add_argument(
            "--cube-default-environment",
            choices=["", *App.Environment.values],
            help="of events that name none; '' refuses them",
        )
        parser.add_argument(
            "--cube-event-answer",
            choices=App.EventAnswer.values,
            help="how a new event is answered: SDKs of version 2 want an array",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *, app_id: int, **options: Any) -> None:
        """Change it."""
        app = App.objects.filter(pk=app_id).first()
        if app is None:
            raise CommandError(f"there is no app {app_id}")
        try:
            changed = change_app(ChangeApp(app=app, **read_settings(options)))
        except DomainError as error:
            raise CommandError(str(error)) from error
        shown = {"id": changed.pk, **{name: told(getattr(changed, name)) for name in SETTINGS}}
        if options["json"]:
            self.stdout.write(json.dumps(shown))
        else:
            for name, value in shown.items():
                self.stdout.write(f"{name:25} {value}")


def told(value: Any) -> Any:
    """Give a setting as it is printed; a span as it is asked for."""
    return duration_string(value) if isinstance(value, timedelta) else value


def read_number(text: str) -> int | str:
    """Give a number, or '' for none of the app's own."""
    if text and not (text.isascii() and text.isdigit() and int(text) < 2**31):
        raise ArgumentTypeError("must be a whole number")
    return int(text) if text else ""


def read_window(text: str) -> timedelta:
    """Give a span of time."""
    try:
        span = parse_duration(text)
    except (ValueError, OverflowError):
        span = None
    if span is None:
        raise ArgumentTypeError("must be [days] hours:minutes:seconds, or as in ISO 8601")
    return span


def read_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give what was said on the command line; what was not is None."""
    said = {name: options[name] for name in SETTINGS}
    if said["web_prompts"] is not None:
        said["web_prompts"] = read_prompts(said["web_prompts"])
    return {
        name: ANSWERS.get(value, value) if name in YES_OR_NO else value
        for name, value in said.items()
    }


def read_prompts(text: str) -> dict[str, Any]:
    """Give the object the text spells; raises `Invalid` for anything else."""
    try:
        prompts: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"is not JSON: {error}", field="web_prompts") from error
    check_prompts(prompts)  # a JSON null must not pass for "not given"
    return prompts
