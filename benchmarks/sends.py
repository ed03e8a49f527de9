"""`python -m benchmarks.sends [PEOPLE]`: what the composer and the page of a send cost an operator.

A million people with a device each, and one send that every one of them was answered for. Prints a
line for each page: queries, milliseconds of the first and of a repeated look, and its size.
"""

import json
import resource
import sys
import time
from typing import Any

from benchmarks.crowd import RULE
from benchmarks.crowded import crowded

PEOPLE = 1_000_000

SENT = """
WITH n AS (
    INSERT INTO delivery_notification (app_id, source, kind, name, message, audience, schedule,
           filters, lane, time_to_live, operator)
    VALUES (%(app)s, 'console', 'push', '', '{"title": "T", "body": "B"}', '{"everyone": true}',
            '{}', '{}', 'bulk', interval '1 day', 'olga')
    RETURNING id
)
INSERT INTO delivery_occurrence (notification_id, due_at, zone, state, expires_at, ledger_day,
       targeted, accepted, unregistered, started_at, finished_at)
SELECT id, now() - interval '1 minute', '', 'finished', now() + interval '1 day', current_date,
       %(people)s, %(people)s - %(gone)s, %(gone)s, now() - interval '1 minute', now()
  FROM n RETURNING id, notification_id
"""

BATCHES = """
INSERT INTO delivery_batch (occurrence_id, app_id, transport, environment, topic, lane, token_ids,
       state)
SELECT %(occurrence)s, %(app)s, 'apns', 'production', 'com.example.app', 'bulk',
       array_agg(id ORDER BY id), 'done'
  FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / 1000 AS place
          FROM crm_devicetoken WHERE app_id = %(app)s) t GROUP BY place
"""

LEDGER = """
INSERT INTO delivery_delivery (day, occurrence_id, token_id, install_id, verdict, reason, at)
SELECT current_date, %(occurrence)s, id, install_id,
       CASE WHEN id %% 100 = 0 THEN 'unregistered' ELSE 'accepted' END,
       CASE WHEN id %% 100 = 0 THEN 'Unregistered' ELSE '' END,
       now() - interval '1 minute' + id %% 60 * interval '1 second'
  FROM crm_devicetoken WHERE app_id = %(app)s ORDER BY id
"""


def main(people: int) -> None:
    """Make the engines and the crowd, and look from another process."""
    with crowded(people) as crowd:
        facts = {"app": crowd.app, "people": people, "gone": people // 100}
        sent = crowd.database.execute(SENT, facts).fetchone()
        assert sent is not None
        facts["occurrence"] = sent[0]
        crowd.database.execute(BATCHES, facts)
        crowd.database.execute(LEDGER, facts)
        crowd.database.execute("VACUUM ANALYZE")
        look = [sys.executable, "-m", "benchmarks.sends", "look", str(crowd.app), str(sent[1])]
        sys.stdout.write(crowd.run(look))


def look(app: int, notification: int) -> None:
    """Ask each page twice, and export the ledger."""
    import django  # noqa: PLC0415 - only the process that looks needs it

    django.setup()
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    client = Client()
    client.force_login(get_user_model().objects.create_superuser("olga"))
    push = {"app": app, "title": "T", "body": "B", "everyone": "on", "when": "now"}
    rule = {"app": app, "rule": json.dumps(RULE)}
    asks: list[tuple[str, str, str, dict[str, Any]]] = [
        ("compose", "get", "/admin/compose/", {}),
        ("size", "post", "/admin/compose/check/", push),
        ("reach of everyone", "post", "/admin/compose/reach/", push),
        ("rule of a tenth", "post", "/admin/compose/rule/", rule),
        ("review of everyone", "post", "/admin/compose/review/", push),
        ("send", "get", f"/admin/sends/{notification}/", {}),
        ("poll", "get", f"/admin/sends/{notification}/progress/", {}),
    ]
    for name, method, address, said in asks:
        took = []
        for _ in range(2):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                began = time.perf_counter()
                answer = getattr(client, method)(address, said)
                took.append((time.perf_counter() - began) * 1000)
        print(
            f"{name:20} {answer.status_code} {len(queries):3} queries"
            f" {took[0]:8.1f} ms, again {took[1]:8.1f} ms, {len(answer.content):,} bytes"
        )
        if b'"slow": "This' in answer.content:
            print(f"{name:20} gave up in time")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, size, rows = time.perf_counter(), 0, 0
    for part in client.get(f"/admin/sends/{notification}/export.csv").streaming_content:
        size += len(part)
        rows += part.count(b"\n")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    seconds = time.perf_counter() - began
    print(f"{'export':20} {rows - 1:,} rows, {size:,} bytes in {seconds:.1f} s, +{grown:.1f} MiB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["look"]:
        look(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else PEOPLE)
