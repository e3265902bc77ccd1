"""Are the levels served, and do the services answer?"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from agents.roles import Level
from agents.selectors import now
from orchestrator import presence
from orchestrator.conf import breaker_limits
from orchestrator.realtime import feed
from orchestrator.resilience import breakers as known_breakers
from orchestrator.resilience.breakers import Breaker, Standing


@dataclass(frozen=True, slots=True)
class LevelHealth:
    """One level's queue and its workers. `workers` is None when nobody can tell."""

    level: Level
    queued: int
    oldest: datetime | None
    running: int
    workers: int | None

    @property
    def is_unheard(self) -> bool:
        """Does nobody listen?"""
        return self.workers == 0


@dataclass(frozen=True, slots=True)
class Service:
    """One service: does it answer, and how fast in milliseconds."""

    name: str
    answers: bool
    milliseconds: float


def queues() -> list[LevelHealth]:
    """The four levels."""
    workers: Counter[Level] | None = presence.listening()
    return [
        LevelHealth(
            queue.level,
            queue.queued,
            queue.oldest,
            queue.running,
            None if workers is None else workers[queue.level],
        )
        for queue in now.queues()
    ]


def unheard() -> list[Level]:
    """Levels that no worker listens on."""
    workers = presence.listening()
    return [] if workers is None else [level for level in Level if not workers[level]]


def services() -> list[Service]:
    """The database and Redis."""
    return [_timed("Database", _ask_database), _timed("Redis", lambda: bool(feed.connection().ping()))]


def breakers() -> list[Standing] | None:
    """The breakers of models and tools that fail or have failed just now; None where nobody can tell."""
    names = known_breakers.names()
    if names is None:
        return None
    found = [Breaker(name, name, breaker_limits()).standing() for name in names]
    return [standing for standing in found if standing is not None]


def damaged_states() -> int | None:
    """How many states are known to be damaged; None where nobody can tell."""
    try:
        return now.damaged_states()
    except DatabaseError:
        return None


def _ask_database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _timed(name: str, ask: Callable[[], bool]) -> Service:
    start = time.perf_counter()
    try:
        answers = ask()
    except (DatabaseError, RedisError, OSError):
        answers = False
    return Service(name, answers, (time.perf_counter() - start) * 1000)
