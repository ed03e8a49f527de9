"""`python -m benchmarks.segment_reader APP ROUNDS`: count and stream a tenth of an app's people.

A process of its own, with Django as a worker loads it; one line of JSON a round.
"""

import json
import sys
import time

import django

django.setup()

from django.db import connection, transaction  # noqa: E402 - Django comes first
from django.utils import timezone  # noqa: E402

from benchmarks.crowd import RULE  # noqa: E402
from crm.models import Segment  # noqa: E402
from crm.segments.rules import parse  # noqa: E402
from delivery.audience import Audience  # noqa: E402
from delivery.targeting.resolve import reachable  # noqa: E402
from delivery.targeting.segments import count  # noqa: E402

ROWS = 50_000  # at a time, as many as planning takes


def main(app_id: int, rounds: int) -> None:
    """Measure both, so many times."""
    segment = Segment.objects.create(app_id=app_id, name="a tenth", rule=RULE)
    for _ in range(rounds):
        began = time.perf_counter()
        counts = count(parse(RULE), app_id=app_id, now=timezone.now())
        counted = time.perf_counter()
        streamed = stream(app_id, segment.pk)
        done = time.perf_counter()
        said = {
            "count_ms": (counted - began) * 1000,
            "stream_s": done - counted,
            "counted": [*counts],
            "streamed": streamed,
        }
        print(json.dumps(said), flush=True)


def stream(app_id: int, segment_id: int) -> int:
    """Read the ids of all reachable tokens in key order, holding a page of them at a time."""
    audience = Audience(segment_ids=(segment_id,))
    sql, params = reachable(audience, app_id=app_id, now=timezone.now())
    read, last = 0, 0
    with transaction.atomic():
        connection.ensure_connection()
        with connection.connection.cursor(name="tokens") as cursor:
            cursor.execute(f"SELECT t.id FROM ({sql}) t ORDER BY t.id", params)
            while page := cursor.fetchmany(ROWS):
                for (token_id,) in page:
                    assert token_id > last, "not in key order"
                    read, last = read + 1, token_id
    return read


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
