"""`python -m benchmarks.page_reader ROUNDS`: every page of the admin, asked for and timed.

Pages are found in the registry: a list of each model, its filters one by one, a search for a
row that is there, and the page of that row. A line of JSON for each on standard output.
"""

import json
import os
import sys
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")


def main(rounds: int) -> None:
    """Time each page and print what it took."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - models, after django.setup
    from django.test import Client  # noqa: PLC0415

    client = Client()
    client.force_login(get_user_model().objects.create_superuser("bench"))
    for kind, url in _addresses(client):
        print(json.dumps(_timed(client, kind, url, rounds)), flush=True)


def _timed(client: Any, kind: str, url: str, rounds: int) -> dict[str, Any]:
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    client.get(url)
    took = []
    for _ in range(rounds):
        began = perf_counter()
        status = client.get(url).status_code
        took.append(1000 * (perf_counter() - began))
    with CaptureQueriesContext(connection) as captured:
        client.get(url)
    shown = url.removeprefix("/admin/") + ("" if status == 200 else f" ({status})")
    facts = {"kind": kind, "page": shown, "queries": len(captured)}
    return {**facts, "p50_ms": median(took), "all_ms": took}


def _addresses(client: Any) -> Iterator[tuple[str, str]]:
    from django.contrib import admin  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    yield "list", reverse("admin:index")
    for model, desk in admin.site._registry.items():  # noqa: SLF001 - its only door
        name = f"{model._meta.app_label}_{model._meta.model_name}"  # noqa: SLF001
        listed = reverse(f"admin:{name}_changelist")
        yield "list", listed
        page = client.get(listed)
        rows = page.context_data["cl"]
        if getattr(rows, "older", None):
            yield "list", listed + rows.older_address
        for spec in rows.filter_specs:
            for value, _ in getattr(spec, "lookup_choices", []):
                yield "list", f"{listed}?{spec.parameter_name}={value}"
        if not rows.result_list:
            continue
        middle = rows.result_list[len(rows.result_list) // 2]
        if desk.search_fields:
            yield "search", f"{listed}?q={_term(middle)}"
        yield "row", reverse(f"admin:{name}_change", args=[middle.pk])
    yield from _about_a_send(reverse)


def _about_a_send(reverse: Any) -> Iterator[tuple[str, str]]:
    """Give the console's pages about a send to everybody, and about one who got it."""
    from crm.models import Install  # noqa: PLC0415
    from delivery.models import Occurrence  # noqa: PLC0415

    sent = Occurrence.objects.order_by("-targeted").values_list("notification", flat=True)[0]
    one = Install.objects.select_related("user").order_by("-pk")[0]
    yield "row", reverse("admin:compose")
    yield "row", reverse("admin:send", args=[sent])
    yield "row", reverse("admin:send_progress", args=[sent])
    yield "row", f"{reverse('admin:why')}?notification={sent}&install={one.uid}"
    yield "row", f"{reverse('admin:why')}?notification={sent}&user={one.user.uid}"


def _term(row: Any) -> str:
    """Give a word a row is found by."""
    for name in ("uid", "uuid", "install_uid", "api_key"):
        if said := getattr(row, name, None):
            return str(said)
    if (owner := getattr(row, "user", None)) is not None:
        return str(owner.uid)
    return str(getattr(row, "value", None) or getattr(row, "notification_id", None) or row.pk)


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]))
