"""What an opened push costs us, and how many a second: the herd that follows a broadcast.

One event a post, each of another known install, as phones send them. A plain REST framework view
has its turn in each round, behind the same server; ratios are formed within a round.
"""

import json
import time
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.attempt import attempt
from benchmarks.figures import Report, at_least, say, summarise
from benchmarks.herd import post
from benchmarks.plan import Plan
from benchmarks.stage import OURS, PEER, WARM, Stage, Turn
from benchmarks.turns import WrongResult

USUAL = {1: 2000, 50: 5000, 500: 5000}
"""Posts of a turn, by connections."""

USERS = 50  # connections of the figures that name none


class Told(NamedTuple):
    """Where a figure comes from: whose turn, over how many connections, which of its values."""

    program: str
    connections: int
    value: str
    unit: str


FIGURES = {
    "events.cpu_us": Told(OURS, USERS, "cpu_us", "us/post"),
    "events.cpu_us.web": Told(OURS, USERS, "web_us", "us/post"),
    "events.cpu_us.postgres": Told(OURS, USERS, "postgres_us", "us/post"),
    "events.rate": Told(OURS, USERS, "rate", "posts/s"),
    "events.rate.c1": Told(OURS, 1, "rate", "posts/s"),
    "events.rate.c50": Told(OURS, 50, "rate", "posts/s"),
    "events.rate.c500": Told(OURS, 500, "rate", "posts/s"),
    "peer.drf_insert.cpu_us": Told(PEER, USERS, "cpu_us", "us/post"),
    "peer.drf_insert.rate": Told(PEER, USERS, "rate", "posts/s"),
}
RATIO, BAR = "ratio.events.vs_drf", at_least(2)
NAMES = [*FIGURES, RATIO]


Turns = dict[tuple[str, int], list[Turn]]


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    told = [FIGURES[name] for name in names if name in FIGURES]
    wanted = dict.fromkeys((t.program, t.connections) for t in told)
    if RATIO in names:
        wanted |= dict.fromkeys([(OURS, USERS), (PEER, USERS)])
    turns: Turns = {key: [] for key in wanted}
    with attempt("events", names, report):
        with Stage.set(OURS, PEER, careless=True) as stage:
            phones = Phones(stage, max(plan.pushes(n) for n in USUAL.values()))
            for number in range(1, plan.rounds + 1):
                for (program, connections), taken in turns.items():
                    taken.append(phones.turn(program, plan.pushes(USUAL[connections]), connections))
                    name = f"{program.partition('.')[0]} c{connections}"
                    say(f"round {number}/{plan.rounds}  {name:<24} {taken[-1]}")
            phones.check()
        for name in names:
            _add(name, turns, plan, report)


def _add(name: str, turns: Turns, plan: Plan, report: Report) -> None:
    if told := FIGURES.get(name):
        values = [getattr(turn, told.value) for turn in turns[told.program, told.connections]]
        n, unit, bar = plan.pushes(USUAL[told.connections]), told.unit, None
    else:
        pairs = zip(turns[OURS, USERS], turns[PEER, USERS], strict=True)
        values = [ours.rate / peer.rate for ours, peer in pairs]
        n, unit, bar = plan.pushes(USUAL[USERS]), "x", BAR
    report.add(summarise(name, values, unit=unit, n=n, bar=bar))


class Phones:
    """Installs of an app on a stage, and broadcasts they open."""

    def __init__(self, stage: Stage, installs: int) -> None:
        self._stage = stage
        self._app = stage.app
        self._posted = self._opened = 0
        self._seed(installs)

    def turn(self, program: str, n: int, connections: int) -> Turn:
        """Let the phones open a new broadcast; those of the peer only tell of it."""
        push = self._push()
        self._post(program, self._opens(push, min(WARM, n)), connections)
        turn, _ = self._stage.turn(
            program, self._opens(push, n), connections=connections, status=202
        )
        self._posted += n
        self._opened += n if program == OURS else 0
        return turn

    def check(self) -> None:
        """Refuse the run unless every post is one row and every phone that opened one open."""
        twice = [request for request in self._opens(self._push(), 200) for _ in range(USERS)]
        self._post(OURS, twice, USERS)
        expected = (self._posted - len(twice) + 200, self._opened + 200)
        counts = "SELECT (SELECT count(*) FROM crm_event), (SELECT count(*) FROM delivery_open)"
        found = self._stage.database.execute(counts).fetchone()
        if found != expected:
            raise WrongResult(f"(events, opens) are {found}, not {expected}")

    def _post(self, program: str, requests: Sequence[bytes], connections: int) -> None:
        self._stage.post(program, requests, connections=connections, status=202)
        self._posted += len(requests)

    def _opens(self, push: int, n: int) -> list[bytes]:
        keys = {"user": self._app["api_key"], "password": self._app["secret_key"]}
        now = time.time_ns() // 1_000_000
        return [
            post(
                f"/v1/app-installs/{_install(i)}/events",
                json.dumps(
                    [
                        {
                            "type": "k.message.opened",
                            "uuid": str(uuid.uuid4()),
                            "timestamp": now + i,
                            "data": {"type": 1, "id": push},
                            "userId": _install(i),
                        }
                    ]
                ).encode(),
                **keys,
            )
            for i in range(n)
        ]

    def _push(self) -> int:
        row = self._stage.database.execute(
            """INSERT INTO delivery_notification
                      (app_id, source, message, audience, schedule, filters, reporting_meta,
                       lane, time_to_live)
               VALUES (%s, 'kumulos', '{}', '{}', '{}', '{}', '{"campaign": "summer"}',
                       'bulk', '1 hour') RETURNING id""",
            [self._app["id"]],
        ).fetchone()
        assert row
        return int(row[0])

    def _seed(self, installs: int) -> None:
        with self._stage.database.cursor() as cursor:
            cursor.execute(
                """WITH made AS (
                       INSERT INTO crm_user (app_id, uid, anonymous)
                       SELECT %s, uid, true FROM unnest(%s::text[]) uid RETURNING app_id, uid, id
                   )
                   INSERT INTO crm_install (app_id, uid, user_id) SELECT * FROM made""",
                [self._app["id"], [_install(i) for i in range(installs)]],
            )
            cursor.execute("VACUUM ANALYZE")


def _install(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
