"""What Celery calls."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import task_failure
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError
from django.utils import timezone

from agents.roles import Level
from agents.services import deliveries, reuse, webhooks
from memory.services import memories, precedents, sources
from orchestrator import dispatch, pruning
from orchestrator.actions import events, letters
from orchestrator.conf import reuse_limits
from orchestrator.runtime import draining, runner

DRAFT_LIFE = timedelta(days=1)
log = logging.getLogger(__name__)
draining.connect()


@task_failure.connect
def keep_failed(sender: Any, args: Sequence[Any], exception: BaseException, **kwargs: Any) -> None:
    """What a task raised becomes a dead letter; Celery has logged it already."""
    try:
        letters.task_failed(sender.name, args, exception)
    except DatabaseError:
        log.warning("What %s raised could not be kept.", sender.name, exc_info=True)


@shared_task(name=dispatch.RUN_NEXT)
def run_next(level: str, times: int = 1) -> None:
    """Run the best queued session of a level, and tell the other workers of the others."""
    dispatch.ring(Level(level), times - 1)
    runner.run_next(Level(level))


@shared_task(name=dispatch.TIDY)
def tidy() -> None:
    """Drop what nobody comes back to: drafts that were never started, memories and sign-ins that have run out.

    And old deliveries of notices, and secrets of webhooks that sign nothing any more.
    """
    sources.drop_abandoned(timezone.now() - DRAFT_LIFE)
    memories.drop_expired()
    reuse.forget_excess(reuse_limits().most)
    SessionStore.clear_expired()
    precedents.gather_all()
    deliveries.forget_old(timezone.now() - deliveries.KEPT)
    webhooks.forget_old_secrets()


@shared_task(name=dispatch.PRUNE)
def prune() -> None:
    """Delete the states that the rules of their agents' types do not keep."""
    pruning.run()


@shared_task(name=dispatch.SNAPSHOT)
def snapshot() -> None:
    """Take the snapshots of aggregates that are due, so that replays stay short."""
    events.take_snapshots()


@shared_task(name=dispatch.PRECEDENTS)
def gather_precedents() -> None:
    """Find out what requests mean, and let those that are decided be found."""
    precedents.gather()
