"""The admin's first page: how everything fares, for the apps of whoever looks."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from crm import clock
from crm.models import App
from crm.models.membership import Role
from delivery import overview
from delivery.expiry import warned_of
from delivery.overview import DAY, ProviderHealth, Running, Share, Tokens
from gateway.console.doors import apps_for

SPANS = {"24h": ("24 hours", DAY), "7d": ("7 days", 7 * DAY), "30d": ("30 days", 30 * DAY)}
LATE_FROM = timedelta(seconds=30)

COLOURS = {
    "accepted": "oklch(62% .17 150)",
    "opened": "var(--color-primary-600)",
    "unregistered": "oklch(75% .12 85)",
    "rejected": "oklch(60% .2 25)",
    "expired": "oklch(60% .02 260)",
    "cancelled": "oklch(75% .02 260)",
    "capped": "oklch(65% .12 230)",
    "uncertain": "oklch(70% .15 50)",
    "alive": "oklch(62% .17 150)",
    "disabled": "oklch(75% .02 260)",
    "quarantined": "oklch(75% .12 85)",
    "dead": "oklch(60% .2 25)",
}
ENDS = ("accepted", "unregistered", "rejected", "expired", "uncertain", "cancelled", "capped")
STATES = ("alive", "disabled", "quarantined", "dead")


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Give what the first page shows; the theme calls it with the admin's own context."""
    apps = list(apps_for(request, Role.VIEWER))
    chosen = _chosen(request, apps)
    asked = request.GET.get("span", "")
    span = asked if asked in SPANS else "24h"
    now, back = clock.now(), SPANS[span][1]
    ids = [app.pk for app in apps if chosen is None or app == chosen]
    shares = overview.sends(ids, now=now, back=back)
    tokens = overview.tokens(ids, today=now.date())
    return {
        **context,
        "title": "Overview",
        "apps": apps,
        "chosen": chosen,
        "span": span,
        "spans": {key: label for key, (label, _) in SPANS.items()},
        "figures": list(_figures(shares, tokens)),
        "sends_chart": _stacked(shares, hourly=back <= DAY),
        "shares": shares,
        "hourly": back <= DAY,
        "tokens": tokens,
        "tokens_chart": _tokens_chart(tokens),
        "token_rows": _token_rows(tokens),
        "states": STATES,
        "providers": [_provider(one) for one in overview.provider_health(ids, now=now)],
        "late": _late(ids, apps, now=now),
        "running": [_running(one) for one in overview.running(ids, now=now)],
        "warned": warned_of(ids, now=now),
        "as_of": now,
    }


def _chosen(request: HttpRequest, apps: Collection[App]) -> App | None:
    asked = request.GET.get("app", "")
    return next((app for app in apps if str(app.pk) == asked), None)


def _figures(shares: Sequence[Share], tokens: Tokens) -> Sequence[Mapping[str, str]]:
    sums = {
        name: sum(getattr(share, name) for share in shares)
        for name in (*ENDS, "targeted", "opened", "pending")
    }
    answered = sums["targeted"] - sums["pending"] - sums["cancelled"] - sums["capped"]
    alive = sum(count for (_, state), count in tokens.now.items() if state == "alive")
    known = sum(tokens.now.values())
    return [
        _figure("Pushes", f"{sums['targeted']:,}", f"{sums['pending']:,} pending"),
        _figure("Accepted", _share(sums["accepted"], answered), f"{sums['accepted']:,} pushes"),
        _figure("Opened", _share(sums["opened"], sums["accepted"]), f"{sums['opened']:,} opens"),
        _figure(
            "Dead on arrival",
            _share(sums["unregistered"], answered),
            f"{sums['unregistered']:,} tokens",
        ),
        _figure("Uncertain", f"{sums['uncertain']:,}", "sent, no answer came"),
        _figure("Reachable tokens", f"{alive:,}", f"{_share(alive, known)} of {known:,}"),
    ]


def _figure(title: str, value: str, told: str) -> Mapping[str, str]:
    return {"title": title, "value": value, "told": told}


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _stacked(shares: Sequence[Share], *, hourly: bool) -> str:
    label = "%H:%M" if hourly else "%b %d"
    bars = [
        {
            "label": name,
            "data": [getattr(share, name) for share in shares],
            "backgroundColor": COLOURS[name],
            "stack": "pushes",
        }
        for name in ENDS
        if any(getattr(share, name) for share in shares) or name == "accepted"
    ]
    opens = {
        "label": "opened",
        "type": "line",
        "data": [share.opened for share in shares],
        "borderColor": COLOURS["opened"],
        "backgroundColor": COLOURS["opened"],
    }
    labels = [share.began_at.strftime(label) for share in shares]
    return json.dumps({"labels": labels, "datasets": [opens, *bars]})


def _tokens_chart(tokens: Tokens) -> str:
    return json.dumps(
        {
            "labels": [day.strftime("%b %d") for day in tokens.days],
            "datasets": [
                {
                    "label": state,
                    "data": [counts.get(state, 0) for counts in tokens.days.values()],
                    "backgroundColor": COLOURS[state],
                    "stack": "tokens",
                }
                for state in STATES
            ],
        }
    )


def _token_rows(tokens: Tokens) -> Sequence[Mapping[str, Any]]:
    transports = sorted({transport for transport, _ in tokens.now})
    return [
        {
            "transport": transport,
            "counts": [tokens.now.get((transport, state), 0) for state in STATES],
        }
        for transport in transports
    ]


def _provider(health: ProviderHealth) -> Mapping[str, Any]:
    by_hour = [health.spells[n : n + 12] for n in range(0, len(health.spells), 12)]
    rates = [_hour_rate(spells) for spells in by_hour]
    return {
        "health": health,
        "trend": json.dumps(
            {
                "labels": [spells[0].began_at.strftime("%H:%M") for spells in by_hour],
                "datasets": [
                    {"label": "% accepted", "data": rates, "borderColor": COLOURS["accepted"]}
                ],
            }
        ),
        "accept_rate": None if health.accept_rate is None else f"{health.accept_rate:.1%}",
        "answers": sorted(health.answers.items(), key=lambda item: -item[1]),
        "asked": sum(health.answers.values()),
    }


def _hour_rate(spells: Sequence[Any]) -> float | None:
    asked = sum(spell.asked for spell in spells)
    taken = sum(spell.answers.get("accepted", 0) for spell in spells)
    return round(100 * taken / asked, 1) if asked else None


def _late(ids: Collection[int], apps: Sequence[App], *, now: datetime) -> Sequence[Any]:
    names = {app.pk: app for app in apps}
    return [
        {"late": one, "app": names[one.app_id], "alarming": one.oldest >= LATE_FROM}
        for one in overview.late_work(ids, now=now)
    ]


def _running(one: Running) -> Mapping[str, Any]:
    occurrence = one.occurrence
    done = 100 * occurrence.settled / occurrence.targeted if occurrence.targeted else 0
    return {"occurrence": occurrence, "expected_at": one.expected_at, "done": round(done)}
