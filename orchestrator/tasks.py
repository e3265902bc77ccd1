"""What Celery calls."""

from datetime import timedelta

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from agents.roles import Level
from memory.services import memories, sources
from orchestrator import dispatch, pruning
from orchestrator.actions import events
from orchestrator.runtime import draining, runner

DRAFT_LIFE = timedelta(days=1)
draining.connect()


@shared_task(name=dispatch.RUN_NEXT)
def run_next(level: str) -> None:
    """Run the best queued session of a level."""
    runner.run_next(Level(level))


@shared_task(name=dispatch.TIDY)
def tidy() -> None:
    """Drop what nobody comes back to: drafts that were never started, memories and sign-ins that have run out."""
    sources.drop_abandoned(timezone.now() - DRAFT_LIFE)
    memories.drop_expired()
    SessionStore.clear_expired()


@shared_task(name=dispatch.PRUNE)
def prune() -> None:
    """Delete the states that the rules of their agents' types do not keep."""
    pruning.run()


@shared_task(name=dispatch.SNAPSHOT)
def snapshot() -> None:
    """Take the snapshots of aggregates that are due, so that replays stay short."""
    events.take_snapshots()
