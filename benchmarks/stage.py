"""Web servers side by side on engines of their own, nothing else running: what a post costs."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import psycopg
from redis import Redis

from benchmarks.engines import Engines
from benchmarks.herd import Answered, stampede
from benchmarks.processes import cpu_seconds, served
from benchmarks.turns import WrongResult

OURS, PEER = "gateway.wsgi:application", "benchmarks.plain_drf.wsgi:application"
WARM = 1000


class Turn(NamedTuple):
    """What the posts of one turn came to; the herd's own CPU is nobody's."""

    rate: float
    web_us: float
    postgres_us: float
    broker_us: float

    @property
    def cpu_us(self) -> float:
        """All together."""
        return self.web_us + self.postgres_us + self.broker_us

    def __str__(self) -> str:
        return (
            f"{self.rate:8,.0f}/s  web {self.web_us:6.0f} us  postgres {self.postgres_us:6.0f} us"
            f"  broker {self.broker_us:4.0f} us"
        )


class Stage:
    """An app, and every program that has its turn at being asked."""

    def __init__(self, engines: Engines) -> None:
        self.app: dict[str, Any] = engines.new_app()
        self.database = psycopg.connect(engines.database_url, autocommit=True)
        self._broker = Redis.from_url(engines.environ["REDIS_URL"])
        self._engines = engines.pids
        self._servers: dict[str, tuple[int, int]] = {}

    @classmethod
    @contextmanager
    def set(cls, *programs: str, careless: bool) -> Iterator["Stage"]:
        """Have a stage for a while; on careless engines nothing reaches the disk."""
        with ExitStack() as stack:
            engines = stack.enter_context(Engines.running(careless=careless))
            stage = cls(engines)
            stack.callback(stage.database.close)
            for program in programs:
                stage._servers[program] = stack.enter_context(served(program, engines.environ))
            yield stage

    def turn(
        self, program: str, requests: Sequence[bytes], *, connections: int, status: int
    ) -> tuple[Turn, Answered]:
        """Post all of it, and give what that cost and what was answered."""
        _, server = self._servers[program]
        pids = (server, self._engines["postgres"], self._engines["broker"])
        before = [cpu_seconds(pid) for pid in pids]
        answered = self.post(program, requests, connections=connections, status=status)
        spent = [cpu_seconds(pid) - b for pid, b in zip(pids, before, strict=True)]
        return Turn(answered.rate, *(seconds / len(requests) * 1e6 for seconds in spent)), answered

    def post(
        self, program: str, requests: Sequence[bytes], *, connections: int, status: int
    ) -> Answered:
        """Post all of it; any other answer is a wrong result."""
        port, _ = self._servers[program]
        answered = stampede(port, requests, connections=connections)
        if answered.statuses != {status: len(requests)}:
            raise WrongResult(f"answers by status: {dict(answered.statuses)}")
        return answered

    def emptied(self, queue: str) -> int:
        """Take all messages out of a queue nobody listens to, and give how many there were."""
        with self._broker.pipeline() as both:
            queued, _ = both.llen(queue).delete(queue).execute()
        return int(queued)
