"""What a device and a push leave behind: bytes in Postgres, bytes of WAL, connections, memory.

One broadcast through the whole gateway, on the schema as the migrations make it; sizes are
Postgres' own, indexes and all, before and after.
"""

from collections.abc import Mapping, Sequence
from typing import LiteralString

from benchmarks.attempt import attempt
from benchmarks.fanout import Audience, send
from benchmarks.figures import Report, say, summarise
from benchmarks.gateway import Gateway
from benchmarks.plan import Plan
from benchmarks.sink import Sink, running

DEVICES = 200_000

TABLES = {
    "user_bytes": "crm_user",
    "install_bytes": "crm_install",
    "token_bytes": "crm_devicetoken",
}
LEFT = {"ledger_bytes": "delivery_delivery", "batch_bytes": "delivery_batch"}
UNITS = {
    **{f"footprint.{name}": "B/device" for name in TABLES},
    **{f"footprint.{name}": "B/push" for name in LEFT},
    "footprint.wal_bytes": "B/push",
    "footprint.connections": "connections",
    "footprint.broker_mib": "MiB",
}
NAMES = [*UNITS]

# a partitioned table has no bytes of its own; a plain one has no tree
SIZE = """
SELECT coalesce((SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%(table)s)), 0)
     + pg_total_relation_size(%(table)s)
"""
CONNECTIONS = "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
"""All but the benchmark's own."""

WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'"


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    devices = plan.pushes(DEVICES)
    with attempt("footprint", names, report):
        with running() as sink, Gateway.running() as gateway:
            found = _rounds(gateway, sink, devices=devices, rounds=plan.rounds)
        for name in names:
            values = [one[name] for one in found]
            report.add(summarise(name, values, unit=UNITS[name], n=devices))


def _rounds(gateway: Gateway, sink: Sink, *, devices: int, rounds: int) -> list[dict[str, float]]:
    found = []
    for number in range(1, rounds + 1):
        say(f"round {number}/{rounds}  settling {devices:,} devices")
        before = _sizes(gateway, TABLES)
        app = gateway.new_app(sink, tokens=devices)
        settled = _grown(gateway, TABLES, before)
        # full pages go to the WAL once after a checkpoint: every round begins with one
        gateway.database.execute("CHECKPOINT")
        before, wal = _sizes(gateway, LEFT), _number(gateway, WAL)
        send(gateway, Audience(app, sink, devices))
        grown = {
            **settled,
            **_grown(gateway, LEFT, before),
            "wal_bytes": _number(gateway, WAL) - wal,
        }
        found.append(
            {
                **{f"footprint.{name}": size / devices for name, size in grown.items()},
                "footprint.connections": _number(gateway, CONNECTIONS),
                "footprint.broker_mib": gateway.peak_mib("broker"),
            }
        )
    return found


def _sizes(gateway: Gateway, tables: Mapping[str, str]) -> dict[str, float]:
    return {name: _number(gateway, SIZE, {"table": table}) for name, table in tables.items()}


def _grown(
    gateway: Gateway, tables: Mapping[str, str], before: Mapping[str, float]
) -> dict[str, float]:
    return {name: size - before[name] for name, size in _sizes(gateway, tables).items()}


def _number(
    gateway: Gateway, query: LiteralString, facts: Mapping[str, str] | None = None
) -> float:
    [(number,)] = gateway.database.execute(query, facts).fetchall()
    return float(number)
