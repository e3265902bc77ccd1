"""Rings workers after commit. The database is the truth, a message only says: look at this level."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError

from agents.events.store import Recorded
from agents.events.types import SessionCreated, SessionMoved
from agents.lifecycle import SessionStatus
from agents.roles import Level

log = logging.getLogger(__name__)
RUN_NEXT = "queenright.run_next"
TIDY = "queenright.tidy"
PRUNE = "queenright.prune"
SNAPSHOT = "queenright.snapshot"
PRECEDENTS = "queenright.precedents"
MOST_MESSAGES = 10  # that one ring sends

_held: ContextVar[Counter[Level] | None] = ContextVar("held", default=None)


def ring(level: Level, times: int = 1) -> None:
    """Tell the workers of `level` that so many sessions are queued. A lost message is rung again by the sweeper.

    Of a crowd each message tells of a share, and whoever hears it rings for the rest of that: who rings is not held up
    by workers that it has woken already.
    """
    share = max(ceil(times / MOST_MESSAGES), 1)
    try:
        for rung in range(0, times, share):
            arguments = [level, min(share, times - rung)]
            current_app.send_task(RUN_NEXT, args=arguments, queue=level, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("The broker does not answer; the sweeper rings %s later: %s", level, error)


def send(task: str, arguments: Sequence[Any]) -> None:
    """Send a task again that failed. Raises what the broker raises: nobody else would send it."""
    current_app.send_task(task, args=list(arguments), queue=arguments[0] if task == RUN_NEXT else Level.WORKER)


def ring_for(recorded: Sequence[Recorded]) -> None:
    """Ring once for each session that has just been queued."""
    levels = Counter(
        Level(item.event.level)
        for item in recorded
        if isinstance(item.event, SessionCreated | SessionMoved) and item.event.status == SessionStatus.QUEUED
    )
    held = _held.get()
    if held is not None:
        held.update(levels)
        return
    for level, times in levels.items():
        ring(level, times)


@contextmanager
def held() -> Iterator[None]:
    """Ring at the end, also of an error, for all sessions that this thread queues meanwhile in several transactions.

    Those of the first would be run while the next is written, and take the processor and the rows' pages from it.
    """
    queued: Counter[Level] = Counter()
    token = _held.set(queued)
    try:
        yield
    finally:
        _held.reset(token)
        for level, times in queued.items():
            ring(level, times)
