"""What Celery calls."""

from celery import shared_task

from agents.roles import Level
from orchestrator import dispatch
from orchestrator.runtime import runner


@shared_task(name=dispatch.RUN_NEXT)
def run_next(level: str) -> None:
    """Run the best queued session of a level."""
    runner.run_next(Level(level))
