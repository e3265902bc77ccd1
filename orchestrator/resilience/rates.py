"""Rate limits, one a model and one a tool, shared by all workers through Redis.

The generic cell rate algorithm (ITU-T I.371): the key holds when the next call is due. A caller takes its turn in
one step and then sleeps until it, so that turns come in the order of asking, in all processes, and nobody polls.
A call whose turn would be too far off takes none.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from agents.errors import RateLimited
from orchestrator.conf import Rate
from orchestrator.shared import Pause, connection

log = logging.getLogger(__name__)

PREFIX = "queenright:rate:"
_TAKE = """
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = math.max(0, due - tonumber(ARGV[2]) - now)
if wait <= tonumber(ARGV[3]) then
    due = due + tonumber(ARGV[1])
    redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000))
end
return string.format('%.0f', wait)
"""
_away = Pause()
_local: dict[str, float] = {}  # when the next call of this process is due, while Redis is away
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Pace:
    """Microseconds between calls, and how far ahead of them a caller may be."""

    interval: float
    ahead: float

    @classmethod
    def of(cls, rate: Rate) -> "_Pace":
        """A tenth may come at once; the rest is spread so that no span of the rate's length has more than `count`."""
        burst = max(1, rate.count // 10)
        interval = rate.seconds * 1e6 / max(1, rate.count - burst)
        return cls(interval, interval * (burst - 1))


def take_turn(name: str, title: str, rate: Rate, *, most: float, rest: Callable[[float], None]) -> float:
    """Return when it is the caller's turn; how many seconds that took. `rest` sleeps.

    Raises RateLimited at once when that would take more than `most` seconds.
    """
    pace = _Pace.of(rate)
    wait = _shared_turn(name, pace, most)
    if wait is None:
        wait = _local_turn(name, pace, most)
    if wait > most:
        raise RateLimited(
            f"{title} may be called {rate} and its next turn would be in {wait:.0f} s.", name=name, seconds=wait
        )
    if wait > 0:
        rest(wait)
    return wait


def _shared_turn(name: str, pace: _Pace, most: float) -> float | None:
    if _away.is_on():
        return None
    redis: Redis = connection()
    try:
        waited = redis.eval(_TAKE, 1, f"{PREFIX}{name}", str(pace.interval), str(pace.ahead), str(most * 1e6))
    except (RedisError, OSError) as error:
        _away.begin()
        log.warning("Rates are limited in each process alone: Redis does not answer (%s).", error)
        return None
    return float(waited) / 1e6  # type: ignore[arg-type]  # sync client, typed for both


def _local_turn(name: str, pace: _Pace, most: float) -> float:
    with _lock:
        now = time.monotonic() * 1e6
        due = max(_local.get(name, 0.0), now)
        wait = max(0.0, due - pace.ahead - now)
        if wait <= most * 1e6:
            _local[name] = due + pace.interval
        return wait / 1e6
