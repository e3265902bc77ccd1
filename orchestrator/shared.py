"""What all processes share in Redis. It is never in anybody's way: short time-outs, one try, then a pause."""

import threading
import time
from functools import cache

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.env import environment

PATIENCE = 0.5  # seconds that Redis may take to answer before whoever asks goes on without it
PAUSE = 2.0  # seconds without a further try after Redis failed


@cache
def connection() -> Redis:
    """Connections for callers that do not wait: a commit, a model call."""
    return Redis.from_url(
        environment().redis_address,
        decode_responses=True,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )


class Pause:
    """Keeps a process from waiting for a dead Redis again and again."""

    def __init__(self) -> None:
        """Off."""
        self._until = 0.0
        self._lock = threading.Lock()

    def is_on(self) -> bool:
        """Has Redis failed just now?"""
        return time.monotonic() < self._until

    def begin(self) -> None:
        """Redis has failed."""
        with self._lock:
            self._until = time.monotonic() + PAUSE

    def end(self) -> None:
        """Try again at once."""
        with self._lock:
            self._until = 0.0
