"""What the admin's pages cost on large tables: queries, and milliseconds until the answer."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks.attempt import attempt
from benchmarks.crowded import crowded
from benchmarks.figures import Report, say, summarise
from benchmarks.plan import Plan

NAMES = ["pages.list_ms", "pages.search_ms", "pages.row_ms"]
"""Of each kind the slowest page; the table has every one of them."""

PEOPLE = 1_000_000
LEDGER = 10
"""Firings to everybody, one a day: so many ledger rows for each person."""

# one-to-one sends on top: what a list of notifications is long of
HISTORY = """
INSERT INTO delivery_notification
       (app_id, source, message, audience, schedule, filters, lane, time_to_live, updated_at)
SELECT %(app)s, 'kumulos', '{"title": "Hello", "body": "World"}', '{"everyone": true}', '{}', '{}',
       CASE WHEN n %% 2 = 0 THEN 'urgent' ELSE 'bulk' END, '1 h', now()
  FROM generate_series(1, %(asks)s) n;
INSERT INTO delivery_occurrence
       (notification_id, due_at, state, expires_at, ledger_day, targeted, accepted)
SELECT id, now(), 'finished', now(), current_date, 1, 1 FROM delivery_notification;
INSERT INTO delivery_batch (occurrence_id, app_id, transport, environment, topic, lane,
                            token_ids, state)
SELECT id, %(app)s, 'apns', 'production', 'com.example.app', 'bulk', '{1}', 'done'
  FROM delivery_occurrence;
INSERT INTO crm_event (app_id, uuid, install_uid, type, happened_at)
SELECT app_id, gen_random_uuid(), uid, 'k.stats', now() FROM crm_install
"""


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report, and print the table of all pages."""
    people = plan.pushes(PEOPLE)
    with attempt("pages", names, report):
        pages = _pages(people, plan.rounds)
        say(table(pages))
        for name in names:
            kind = name.partition(".")[2].removesuffix("_ms")
            slowest = max((p for p in pages if p["kind"] == kind), key=lambda p: p["p50_ms"])
            report.add(summarise(name, slowest["all_ms"], unit="ms", n=people))


def table(pages: Sequence[dict[str, Any]]) -> str:
    """Give the pages, one a line: queries, and the middle of five answers."""
    lines = [f"{'page':58} {'queries':>7} {'p50 ms':>8}"]
    lines += [f"{p['page']:58} {p['queries']:7} {p['p50_ms']:8.1f}" for p in pages]
    return "\n" + "\n".join(lines)


def _pages(people: int, rounds: int) -> list[dict[str, Any]]:
    with crowded(people) as crowd:
        fill_history(crowd.database, app=crowd.app, asks=people)
        reader = [sys.executable, "-m", "benchmarks.page_reader", str(max(5, rounds))]
        return [json.loads(line) for line in crowd.run(reader).splitlines()]


def fill_history(database: psycopg.Connection, *, app: int, asks: int) -> None:
    """Add asks of one push each, an event for each install, and `LEDGER` firings to everybody."""
    for statement in HISTORY.split(";\n"):
        database.execute(statement, {"app": app, "asks": asks})
    firings = database.execute(
        "SELECT id FROM delivery_occurrence ORDER BY id DESC LIMIT %s", [LEDGER]
    ).fetchall()
    for ago, (firing,) in enumerate(firings):
        say(f"ledger: day {ago + 1} of {LEDGER}")
        database.execute(_partition(ago))
        database.execute(
            "UPDATE delivery_occurrence SET ledger_day = current_date - %s::int,"
            " targeted = %s, accepted = %s WHERE id = %s",
            [ago, asks, asks, firing],
        )
        database.execute(
            """INSERT INTO delivery_delivery
                      (day, occurrence_id, token_id, install_id, verdict, at)
               SELECT current_date - %s::int, %s, id, install_id, 'accepted', now()
                 FROM crm_devicetoken""",
            [ago, firing],
        )
    database.execute("VACUUM ANALYZE")


def _partition(ago: int) -> str:
    return f"""
    DO $$ BEGIN EXECUTE format(
        'CREATE TABLE delivery_delivery_%s PARTITION OF delivery_delivery
         FOR VALUES FROM (%L) TO (%L)',
        to_char(current_date - {ago}, 'YYYYMMDD'), current_date - {ago}, current_date - {ago} + 1);
    END $$"""
