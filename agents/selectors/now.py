"""The home page: what stands where, and whether the levels are served."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from agents.lifecycle import FINAL, SessionStatus
from agents.models import AgentSession, AgentState, ModelCall, Pruning
from agents.roles import Level
from agents.selectors.missions import Usage, usage
from agents.selectors.standing import Standing, statuses, waiting

COUNTED = [group for group in Standing if group is not Standing.CANCELLED]
RECENT = timedelta(hours=24)  # how long ended agents are counted


@dataclass(frozen=True, slots=True)
class Upkeep:
    """When old states were last pruned, and what that freed in a day: states, and bytes of values."""

    finished_at: datetime
    states: int
    freed_bytes: int


@dataclass(frozen=True, slots=True)
class Queue:
    """One level: how many sessions wait for a worker, the oldest since when, how many run."""

    level: Level
    queued: int
    oldest: datetime | None
    running: int


def damaged_states() -> int:
    """How many states are known to be damaged, over all projects. One query."""
    return AgentState.objects.filter(damaged_at__isnull=False).count()


def counts(project_id: UUID) -> Mapping[Standing, int]:
    """How many agents stand where; ended ones of the last day. One query."""
    since = timezone.now() - RECENT
    named = {group.value: Count("pk", filter=_stands(group, since)) for group in COUNTED}
    found = AgentSession.objects.filter(project_id=project_id).aggregate(**named)
    return {group: found[group.value] for group in COUNTED}


def _stands(group: Standing, since: datetime) -> Q:
    within = statuses(group)
    recent = Q(finished_at__gte=since) if set(within) & FINAL else Q()
    return Q(status__in=within) & recent


def agents(project_id: UUID, group: Standing, limit: int = 50) -> list[tuple[AgentSession, object]]:
    """The agents that stand so, each with what it waits for. Three queries."""
    found = list(
        AgentSession.objects.filter(_stands(group, timezone.now() - RECENT), project_id=project_id)
        .select_related("root", "current_run")
        .order_by("-moved_at")[:limit]
    )
    waits = waiting(found)
    return [(session, waits.get(session.pk)) for session in found]


def queues() -> list[Queue]:
    """The four levels, over all projects: workers serve them all. One query."""
    found: dict[str, dict[str, Any]] = {
        row["level"]: dict(row)
        for row in AgentSession.objects.filter(status__in=[SessionStatus.QUEUED, SessionStatus.RUNNING])
        .values("level")
        .annotate(
            queued=Count("pk", filter=Q(status=SessionStatus.QUEUED)),
            running=Count("pk", filter=Q(status=SessionStatus.RUNNING)),
            oldest=Min("moved_at", filter=Q(status=SessionStatus.QUEUED)),
        )
    }
    empty: dict[str, Any] = {"queued": 0, "running": 0, "oldest": None}
    return [
        Queue(level, row["queued"], row["oldest"], row["running"])
        for level in Level
        for row in [found.get(level, empty)]
    ]


def spent(project_id: UUID) -> Usage:
    """What the model calls of the last day took. One query."""
    return usage(ModelCall.objects.filter(project_id=project_id, created_at__gte=timezone.now() - RECENT))


def upkeep() -> Upkeep | None:
    """What passes that prune states did lately; None before the first one."""
    last = Pruning.objects.exclude(finished_at=None).order_by("-finished_at").first()
    if last is None or last.finished_at is None:
        return None
    freed = Pruning.objects.filter(finished_at__gt=timezone.now() - RECENT).aggregate(
        states=Sum("states", default=0), freed_bytes=Sum("freed_bytes", default=0)
    )
    return Upkeep(last.finished_at, **freed)
