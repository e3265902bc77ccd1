"""How a worker stops: its agents come to a boundary and are queued again, or are handed back where they stand."""

import logging
import os
import threading
import time
from datetime import timedelta
from typing import Any

from celery.signals import celeryd_after_setup, worker_shutting_down
from django.db import Error as DatabaseError

from agents.checkpoints.connections import scoped
from agents.services import leases
from orchestrator.conf import runner_limits
from orchestrator.runtime.berths import berths
from orchestrator.runtime.leases import heart

log = logging.getLogger(__name__)
GLANCE = 0.05  # seconds
LAST_SECONDS = 1.0  # for threads whose agent was handed back


def connect() -> None:
    """Let the worker of this process, if it becomes one, know its threads, and drain when it is told to stop."""
    celeryd_after_setup.connect(_set_up)
    worker_shutting_down.connect(_shut_down)


def _set_up(instance: Any, **kwargs: Any) -> None:
    berths.threads = int(instance.concurrency or 0)


def _shut_down(**kwargs: Any) -> None:
    heart.drain()
    threading.Thread(target=_end, daemon=True, name="drain").start()


def _end() -> None:
    """Hand back what does not stop in time. A thread that hangs in a model or tool must not keep the process."""
    if drain(runner_limits().drain) and not _is_empty(LAST_SECONDS):
        log.warning("Some agents do not stop; the process ends under them. What their tools did is asked about.")
        os._exit(0)


def drain(patience: timedelta) -> int:
    """Wait for the agents of this process to stop, then hand back the rest; how many that were."""
    heart.drain()
    if _is_empty(patience.total_seconds()):
        return 0
    held = heart.held()
    for lease in held:
        lease.lose()
        try:
            with scoped():
                leases.hand_back(lease.holding)
        except DatabaseError:
            log.warning("%s could not be handed back; its lease runs out.", lease.holding.session_id, exc_info=True)
    return len(held)


def _is_empty(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while heart.held():
        if time.monotonic() > end:
            return False
        time.sleep(GLANCE)
    return True
