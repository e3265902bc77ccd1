"""Rings workers after commit. The database is the truth, a message only says: look at this level."""

import logging
from collections import Counter
from collections.abc import Sequence
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
CROWD = 10  # sessions that one message tells of


def ring(level: Level, times: int = 1) -> None:
    """Tell the workers of `level` that so many sessions are queued. A lost message is rung again by the sweeper.

    Of a crowd one message tells `CROWD` at a time, and whoever hears it rings for the others: few hold up who rings,
    and none is long in the hands of a worker that is busy.
    """
    share = CROWD if times > CROWD else 1
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
    for level, times in levels.items():
        ring(level, times)
