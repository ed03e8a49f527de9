"""One token bucket a credential, in Redis, shared by all workers.

Each script is one round trip and sees no other half-way. A bucket holds a batch, or what `BURST`
seconds give where that is more. Of the full rate it has a `share`, which was lowered at `since` and
grows again from there, or from the end of the `quiet` a provider asked for. Up to `promised` turns
are given out; `usual` is the time in which half of a batch's answers come.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from redis.commands.core import Script

from delivery.forbearance import Forbearing, store

STATE = """
local BURST = 1.5      -- seconds: a tick, and what it may be late
local RAMP = 120       -- seconds from nothing to the full rate: half of it comes back in a minute
local LEAST = 1 / 32   -- of the full rate
local KEPT = 3600      -- seconds without a push after which a bucket is forgotten

local key, full = KEYS[1], tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local kept = redis.call('HMGET', key, 'level', 'at', 'share', 'since', 'quiet', 'promised', 'usual')
for i = 1, 7 do kept[i] = tonumber(kept[i]) end
local quiet, since, share = kept[5] or 0, kept[4], kept[3] or 1
if since then
    share = math.min(1, share + math.max(0, now - math.max(since, quiet)) / RAMP)
end
local rate = full * share
"""

ASK = (
    STATE
    + """
local DEBT = 1         -- seconds' worth that urgent pushes may take in advance

local pushes, urgent, horizon = tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
local room = math.max(rate * BURST, pushes)
local level = math.min(room, (kept[1] or room) + math.max(0, now - (kept[2] or now)) * rate)
local promised, opens = kept[6] or 0, math.max(now, quiet)
local turn, given = opens, true
if urgent then
    turn = opens + math.max(0, -rate * DEBT - level) / rate
elseif level < pushes then
    turn = math.max(promised, opens + (pushes - level) / rate)
end
if turn <= now then
    level = level - pushes
elseif not urgent then
    given = promised < opens + horizon
    if given then promised = turn + pushes / rate end
end
redis.call('HSET', key, 'level', level, 'at', opens, 'promised', promised)
redis.call('EXPIRE', key, KEPT)
return {math.ceil((opens - now) * 1000), math.ceil((turn - opens) * 1000), given and 1 or 0}
"""
)

HEED = (
    STATE
    + """
local HALF, GENTLY = 0.5, 0.8
local CALM = 10                -- seconds between two slowdowns nobody asked for
local TIMES, MARGIN = 3, 0.5   -- slow is three times the usual, and by half a second at least
local LEARN, DOUBT = 0.1, 0.02 -- how fast the usual follows a time like it, and a slow one

local wait, overloaded, median = tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
local usual, slow, factor = kept[7], false, nil
if median >= 0 then
    slow = usual and median > usual * TIMES and median > usual + MARGIN
    usual = usual and usual + (median - usual) * (slow and DOUBT or LEARN) or median
    redis.call('HSET', key, 'usual', usual)
end
if wait >= 0 then
    -- what was under way meanwhile is answered alike: it may prolong the quiet and slows no further
    if quiet <= now then factor = HALF end
    quiet = math.max(quiet, now + wait)
    redis.call('HSET', key, 'level', 0, 'at', quiet, 'quiet', quiet)
elseif (overloaded or slow) and now - (since or 0) >= CALM then
    factor = overloaded and HALF or GENTLY
end
if factor then
    share = math.max(LEAST, share * factor)
    redis.call('HSET', key, 'share', share, 'since', now)
end
redis.call('EXPIRE', key, KEPT)
return factor and math.ceil(full * share) or 0
"""
)

RATE = (
    STATE
    + """
if not kept[2] then return false end
return tostring(quiet > now and 0 or rate)
"""
)


class Turn(NamedTuple):
    """How long there is to wait: for the end of the quiet, and in the queue from then on.

    Where the queue is too long a turn is not `given`: somebody else may have it, or come before.
    """

    quiet: float = 0.0
    queue: float = 0.0
    given: bool = True


NOW = Turn()


class Buckets(Forbearing):
    """The way to the buckets, left alone for a while once it has failed: nothing is paced then."""

    def __init__(self) -> None:
        super().__init__(instead="pushes are not paced meanwhile")

    def ask(
        self, credential_id: int, *, rate: int, pushes: int, urgent: bool, horizon: float
    ) -> Turn:
        """Take tokens for a batch at once, or none; turns are given out up to the horizon."""
        said = self._run(ASK, credential_id, rate, pushes, int(urgent), horizon)
        return NOW if said is None else Turn(said[0] / 1000, said[1] / 1000, bool(said[2]))

    def heed(
        self, credential_id: int, *, rate: int, wait: float, overloaded: bool, median: float
    ) -> int:
        """Tell what came of a batch; gives the new rate where it was lowered, else 0.

        A negative `wait` says that none was asked for, a negative `median` that it tells nothing.
        """
        return int(self._run(HEED, credential_id, rate, wait, int(overloaded), median) or 0)

    def rates(self, full: Mapping[int, int]) -> Mapping[int, float]:
        """Give the present rate of those that have sent lately, from their full rates."""
        said: list[Any] = [None] * len(full)
        with self._unless_it_rests() as rests:
            if full and not rests:
                pipeline = store(settings.REDIS_URL).pipeline(transaction=False)
                for credential_id, rate in full.items():
                    pipeline.eval(RATE, 1, _key(credential_id), rate)
                said = pipeline.execute()
        return {pk: float(rate) for pk, rate in zip(full, said, strict=True) if rate is not None}

    def _run(self, script: str, credential_id: int, *said: float) -> Any:
        with self._unless_it_rests() as rests:
            if not rests:
                return _script(settings.REDIS_URL, script)(keys=[_key(credential_id)], args=said)
        return None


def _key(credential_id: int) -> str:
    return f"gateway:pace:{credential_id}"


@lru_cache
def _script(url: str, text: str) -> Script:
    return store(url).register_script(text)


buckets = Buckets()
"""The buckets as this process reaches them."""
