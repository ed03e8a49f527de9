"""`python -m devstack.seed`: the demo's rows, in the database of the environment.

Reads a JSON wish on standard input, `{name, keys?, facts, admin_password?}`, and answers with the
app's keys on standard output. With `keys` of an app that is still there no other is made; its
credentials are aimed at the simulator of `facts` again, whose ports move with every start.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")


def seed(wish: dict[str, Any]) -> dict[str, Any]:
    """Give the keys of the app asked for, made and aimed at the simulator."""
    from crm.commands.apps import create_app  # noqa: PLC0415 - models, after django.setup
    from crm.management.commands.create_app import as_json  # noqa: PLC0415
    from crm.models import App  # noqa: PLC0415

    keys: dict[str, Any] | None = wish.get("keys")
    if keys is None or not App.objects.filter(pk=keys["id"], api_key=keys["api_key"]).exists():
        keys = as_json(create_app(name=wish["name"]))
    _aim(App.objects.get(pk=keys["id"]), wish["facts"])
    if password := wish.get("admin_password"):
        _admin(password)
    return keys


def _aim(app: Any, facts: dict[str, Any]) -> None:
    from delivery.commands.credentials import (  # noqa: PLC0415
        StoreCredential,
        store_credential,
    )

    ca_pem = Path(facts["ca_file"]).read_text(encoding="utf-8")
    apns, fcm = facts["apns"], facts["fcm"]
    store_credential(
        StoreCredential(
            app=app,
            provider="apns",
            secret=Path(apns["key_file"]).read_text(encoding="utf-8"),
            key_id=apns["key_id"],
            team_id=apns["team_id"],
            topic=apns["topic"],
            endpoint=facts["apns_url"],
            ca_pem=ca_pem,
        )
    )
    store_credential(
        StoreCredential(
            app=app,
            provider="fcm",
            secret=Path(fcm["service_account_file"]).read_text(encoding="utf-8"),
            endpoint=facts["fcm_url"],
            ca_pem=ca_pem,
        )
    )


def _admin(password: str) -> None:
    from django.contrib.auth import get_user_model  # noqa: PLC0415

    admin, _ = get_user_model().objects.get_or_create(
        username="admin", defaults={"is_staff": True, "is_superuser": True}
    )
    if not admin.check_password(password):
        admin.set_password(password)
        admin.save()


if __name__ == "__main__":
    django.setup()
    json.dump(seed(json.load(sys.stdin)), sys.stdout)
