"""Which workers listen: each says so in Redis every few seconds, and what it last said runs out."""

import json
import logging
import os
import socket
import threading
from collections import Counter
from typing import Any

from celery import current_app
from celery.signals import worker_ready, worker_shutting_down
from redis.exceptions import RedisError

from agents.roles import Level
from orchestrator.shared import connection

logger = logging.getLogger(__name__)

EVERY = 3.0  # seconds
LASTS = 10  # seconds
_PREFIX = "queenright:worker:"


class _Presence:
    """One thread that speaks for the worker of this process."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def begin(self, **kwargs: Any) -> None:
        """The worker takes work from now on."""
        queues = sorted(current_app.amqp.queues.consume_from)
        threading.Thread(target=self._speak, args=(json.dumps(queues),), daemon=True, name="presence").start()

    def end(self, **kwargs: Any) -> None:
        """The worker takes no more work."""
        self._over.set()

    def _speak(self, queues: str) -> None:
        key = f"{_PREFIX}{socket.gethostname()}:{os.getpid()}"
        while not self._over.is_set():
            _quietly("setex", key, LASTS, queues)
            self._over.wait(EVERY)
        _quietly("delete", key)


def _quietly(command: str, *arguments: Any) -> None:
    try:
        getattr(connection(), command)(*arguments)
    except (RedisError, OSError) as error:
        logger.debug("presence: not said: %s", error)


_presence = _Presence()


def announce() -> None:
    """Let the worker of this process, if it becomes one, say that it listens."""
    worker_ready.connect(_presence.begin)
    worker_shutting_down.connect(_presence.end)


def listening() -> Counter[Level] | None:
    """How many workers listen on each level; None when Redis does not answer."""
    try:
        keys = list(connection().scan_iter(match=f"{_PREFIX}*", count=500))
        said: Any = connection().mget(keys) if keys else []
    except (RedisError, OSError):
        return None
    queues = [queue for one in said if one for queue in json.loads(one)]
    return Counter(Level(queue) for queue in queues if queue in set(Level))
