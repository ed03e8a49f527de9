"""What accepting a push costs us: one user a call, and a thousand.

Everything is stored before the answer, on engines that sync; delivery is not intake, so no worker
and no tick run. A plain REST framework view has its turn in each round, behind the same server;
ratios are formed within a round.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.attempt import attempt
from benchmarks.figures import Bar, Report, at_least, at_most, say, summarise
from benchmarks.herd import post
from benchmarks.plan import Plan
from benchmarks.stage import OURS, PEER, Stage, Turn
from benchmarks.turns import WrongResult

CONNECTIONS = 16
PEOPLE = 10_000
WARM = 200


class Kind(NamedTuple):
    """A sort of call: who is asked, whom each call names, which queue it rings."""

    program: str
    users: int
    calls: int
    queue: str


ONE = Kind(OURS, users=1, calls=2000, queue="urgent")
THOUSAND = Kind(OURS, users=1000, calls=200, queue="planning")
PLAIN = Kind(PEER, users=1, calls=1000, queue="peer")


class Told(NamedTuple):
    """Where a figure comes from: which calls, which value of their turns."""

    kind: Kind
    value: str
    unit: str
    bar: Bar | None = None


FIGURES = {
    "intake.one.cpu_us": Told(ONE, "cpu_us", "us/call", at_most(1300)),
    "intake.one.cpu_us.web": Told(ONE, "web_us", "us/call"),
    "intake.one.cpu_us.postgres": Told(ONE, "postgres_us", "us/call"),
    "intake.one.cpu_us.broker": Told(ONE, "broker_us", "us/call"),
    "intake.one.rate": Told(ONE, "rate", "calls/s"),
    "intake.thousand.cpu_us": Told(THOUSAND, "cpu_us", "us/user", at_most(10)),
    "peer.drf_send.cpu_us": Told(PLAIN, "cpu_us", "us/call"),
    "peer.drf_send.rate": Told(PLAIN, "rate", "calls/s"),
}
RATIO, BAR = "ratio.intake.vs_drf", at_least(2.5)  # what 1.3 ms is to the 3.2 of plain views
NAMES = [*FIGURES, RATIO]

Turns = dict[Kind, list[Turn]]


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    kinds = dict.fromkeys(FIGURES[name].kind for name in names if name in FIGURES)
    if RATIO in names:
        kinds |= dict.fromkeys([ONE, PLAIN])
    turns: Turns = {kind: [] for kind in kinds}
    with attempt("intake", names, report):
        with Stage.set(*{kind.program for kind in kinds}, careless=False) as stage:
            backend = Backend(stage)
            for number in range(1, plan.rounds + 1):
                for kind, taken in turns.items():
                    taken.append(backend.turn(kind, _calls(kind, plan)))
                    name = f"{kind.program.partition('.')[0]}, {kind.users} a call"
                    say(f"round {number}/{plan.rounds}  {name:<22} {taken[-1]}")
        for name in names:
            _add(name, turns, plan, report)


def _calls(kind: Kind, plan: Plan) -> int:
    return max(100, round(kind.calls * plan.scale))


def _add(name: str, turns: Turns, plan: Plan, report: Report) -> None:
    if told := FIGURES.get(name):
        each = told.kind.users if told.unit == "us/user" else 1
        values = [getattr(turn, told.value) / each for turn in turns[told.kind]]
        n, unit, bar = _calls(told.kind, plan), told.unit, told.bar
    else:
        pairs = zip(turns[ONE], turns[PLAIN], strict=True)
        values = [peer.cpu_us / ours.cpu_us for ours, peer in pairs]
        n, unit, bar = _calls(ONE, plan), "x", BAR
    report.add(summarise(name, values, unit=unit, n=n, bar=bar))


class Backend:
    """An app's own server, which has people to push to."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seed()

    def turn(self, kind: Kind, calls: int) -> Turn:
        """Ask for so many pushes; what was accepted is stored and was rung for, or it is wrong."""
        said = {"connections": CONNECTIONS, "status": 201}
        warm = self._stage.post(kind.program, self._sends(kind, WARM // kind.users + 20), **said)
        turn, answered = self._stage.turn(kind.program, self._sends(kind, calls), **said)
        self._check(kind, [*warm.bodies, *answered.bodies])
        return turn

    def _check(self, kind: Kind, bodies: Sequence[bytes]) -> None:
        accepted = {json.loads(body)["id"] for body in bodies}
        stored = self._stage.database.execute(
            """DELETE FROM delivery_occurrence o USING delivery_notification n
                WHERE n.id = o.notification_id AND o.state = 'due' AND o.due_at <= now()
                  AND jsonb_array_length(n.audience -> 'user_uids') = %s
            RETURNING n.id""",
            [kind.users],
        ).fetchall()
        rung = self._stage.emptied(kind.queue)
        if sorted(accepted) != sorted(id_ for (id_,) in stored) or rung != len(bodies):
            raise WrongResult(f"{len(stored)} stored and {rung} rung of {len(bodies)} accepted")

    def _sends(self, kind: Kind, n: int) -> list[bytes]:
        keys = {"user": self._stage.app["api_key"], "password": self._stage.app["server_key"]}
        return [
            post(
                "/notifications",
                json.dumps(
                    {
                        "title": f"Order {i} has shipped",
                        "message": "Your parcel is on its way and should arrive on Thursday.",
                        "userIds": [f"user-{(i + k) % PEOPLE}" for k in range(kind.users)],
                        "data": {"order": str(i), "screen": "orders"},
                    }
                ).encode(),
                **keys,
            )
            for i in range(n)
        ]

    def _seed(self) -> None:
        self._stage.database.execute(
            """WITH u AS (
                   INSERT INTO crm_user (app_id, uid) SELECT %s, 'user-' || n
                     FROM generate_series(0, %s - 1) n RETURNING app_id, uid, id
               ), i AS (
                   INSERT INTO crm_install (app_id, uid, user_id) SELECT * FROM u
                   RETURNING app_id, id
               )
               INSERT INTO crm_devicetoken
                      (app_id, install_id, transport, environment, topic, kind, value, state)
               SELECT app_id, id, 'apns', 'production', 'com.example.app', 'token',
                      md5(id::text) || md5('b' || id), 'alive' FROM i""",
            [self._stage.app["id"], PEOPLE],
        )
        self._stage.database.execute("VACUUM ANALYZE")
