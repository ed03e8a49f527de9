"""With a hundred thousand rows no list, search or filter reads or sorts a whole table."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.models.membership import Role

ROWS = 100_000
BIG = ("crm_user", "crm_install", "crm_devicetoken", "crm_event", "delivery_notification")
BIG += ("delivery_occurrence", "delivery_delivery")

# every 2,000th row is the small app's
FILL = f"""
INSERT INTO crm_user (app_id, uid)
SELECT CASE WHEN n %% 2000 = 0 THEN %(small)s ELSE %(large)s END, 'u' || n
  FROM generate_series(1, {ROWS}) n;
INSERT INTO crm_install (app_id, uid, user_id) SELECT app_id, 'i' || id, id FROM crm_user;
INSERT INTO crm_devicetoken (app_id, install_id, transport, environment, kind, value, state)
SELECT app_id, id, 'fcm', 'production', 'token', 'token-' || uid,
       CASE WHEN id % 1000 = 0 THEN 'dead' ELSE 'alive' END FROM crm_install;
INSERT INTO crm_event (app_id, uuid, install_uid, type, happened_at)
SELECT app_id, gen_random_uuid(), uid, 'k', now() FROM crm_install;
INSERT INTO delivery_notification
       (app_id, source, message, audience, schedule, filters, lane, time_to_live, updated_at)
SELECT app_id, 'kumulos', '{{}}', '{{}}', '{{}}', '{{}}', 'bulk', '1 h', now() FROM crm_user;
INSERT INTO delivery_occurrence (notification_id, due_at, state, expires_at, ledger_day)
SELECT id, now(), 'finished', now(), current_date FROM delivery_notification;
INSERT INTO delivery_delivery (day, occurrence_id, token_id, verdict, at)
SELECT current_date, o.id, t.id, 'accepted', now()
  FROM (SELECT id FROM delivery_occurrence ORDER BY id DESC LIMIT 1) o, crm_devicetoken t;
ANALYZE;
"""

ASKED = [
    *[("crm_user", q) for q in ("", "older=50000", "newer=50000", "app={small}", "q=u5")],
    *[("crm_install", q) for q in ("", "app={small}", "app={large}", "q=u5", "q=i5")],
    *[("crm_devicetoken", q) for q in ("", "app={small}&state=dead", "state=dead", "q=token-i5")],
    *[("crm_event", q) for q in ("", "app={small}", "q=i5")],
    *[("delivery_notification", q) for q in ("", "app={small}", "q=5", "standing=sending")],
    *[("delivery_notification", f"standing={s}") for s in ("scheduled", "over", "cancelled")],
    *[("delivery_occurrence", q) for q in ("", "app={small}", "state=due", "q=5")],
]


def plan_of(query, params):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}", params)
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.fixture
def large_tables(app, other_app):
    with connection.cursor() as cursor:
        ids = {"large": app.pk, "small": other_app.pk}
        for statement in FILL.split(";\n"):
            if statement.strip():
                cursor.execute(statement, ids if "%(" in statement else None)
    return ids


def statements_of(client, url):
    """Give the queries of a page, ready to be asked about."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200, url
    return [
        q["sql"] for q in captured.captured_queries if q["sql"].startswith(("SELECT", "WITH", "("))
    ]


@pytest.fixture
def short_stretches(monkeypatch):
    """Look through as little of these tables at once as one does of large ones."""
    monkeypatch.setattr("crm.keyset.STRIDE", 5_000)
    monkeypatch.setattr("crm.keyset.GROWTH", 1)
    monkeypatch.setattr("crm.keyset.PATIENCE", 0.0)


@pytest.mark.usefixtures("short_stretches")
def test_no_page_reads_or_sorts_a_whole_table(large_tables, app, other_app, signed_in, client):
    bad = []
    for everywhere in (True, False):
        client.logout()
        signed_in(*([] if everywhere else [app, other_app]), role=Role.VIEWER)
        urls = [
            f"{reverse(f'admin:{name}_changelist')}?{asked.format(**large_tables)}"
            for name, asked in ASKED
        ]
        with connection.cursor() as cursor:
            for table in ("crm_user", "crm_install", "crm_devicetoken"):
                cursor.execute(f"SELECT id FROM {table} WHERE app_id = %s LIMIT 1", [other_app.pk])
                urls.append(reverse(f"admin:{table}_change", args=cursor.fetchone()))
        for url in urls:
            for sql in statements_of(client, url):
                plan = plan_of(sql, None)
                if re.search(rf"Seq Scan on ({'|'.join(BIG)})", plan) or _sorts_much(plan):
                    bad.append(f"{url}\n{sql[:300]}\n{plan}")
    assert not bad, "\n\n".join(bad)


def _sorts_much(plan: str) -> bool:
    """Say whether a sort is fed thousands of rows."""
    fed = re.findall(r"Sort  \(cost=\S+ rows=(\d+)", plan)
    return any(int(rows) > 20_000 for rows in fed)
