"""`manage.py set_app APP_ID …`: what an operator decides for an app."""

import json
from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from crm.commands.apps import SETTINGS, ChangeApp, change_app, check_prompts
from crm.errors import DomainError, Invalid
from crm.models import App


class Command(BaseCommand):
    """Change what is given of an app and print all that can be set."""

    help = "Set an app's answer status and what its web pages ask with; '' and {} clear."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the app, what to set, and the form of the answer."""
        parser.add_argument("app_id", type=int)
        parser.add_argument(
            "--kumulos-v2-status",
            type=int,
            choices=App.V2Status.values,
            help="what POST /v2/notifications answers: Apprise knows 200, the Java client 202",
        )
        parser.add_argument("--web-icon-url", metavar="URL", help="the icon of web pushes")
        parser.add_argument("--web-prompts", metavar="JSON", help="the web SDK's prompts by name")
        parser.add_argument("--safari-push-id", metavar="ID", help="web.com.example")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(
        self,
        *,
        app_id: int,
        kumulos_v2_status: int | None,
        web_icon_url: str | None,
        web_prompts: str | None,
        safari_push_id: str | None,
        **options: Any,
    ) -> None:
        """Change it."""
        app = App.objects.filter(pk=app_id).first()
        if app is None:
            raise CommandError(f"there is no app {app_id}")
        try:
            changed = change_app(
                ChangeApp(
                    app=app,
                    kumulos_v2_status=kumulos_v2_status,
                    web_icon_url=web_icon_url,
                    web_prompts=None if web_prompts is None else read_prompts(web_prompts),
                    safari_push_id=safari_push_id,
                )
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        shown = {"id": changed.pk, **{name: getattr(changed, name) for name in SETTINGS}}
        if options["json"]:
            self.stdout.write(json.dumps(shown))
        else:
            for name, value in shown.items():
                self.stdout.write(f"{name:18} {value}")


def read_prompts(text: str) -> dict[str, Any]:
    """Give the object the text spells; raises `Invalid` for anything else."""
    try:
        prompts: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"is not JSON: {error}", field="web_prompts") from error
    check_prompts(prompts)  # a JSON null must not pass for "not given"
    return prompts
