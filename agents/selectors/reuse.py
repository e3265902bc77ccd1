"""What reused results saved, and what was saved by doing several tasks at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum

from agents.lifecycle import ExecutionStatus
from agents.models import AgentSession, ModelCall, ToolExecution

_NO_TOKENS, _NO_COST = 0, Decimal(0)


@dataclass(frozen=True, slots=True)
class Saved:
    """How many calls of models and tools there were, how many were answered by kept results, what that saved.

    A call that was refused, or taken over from before a rewind or fork, is none.
    """

    calls: int
    reused: int
    tokens: int
    cost: Decimal

    @property
    def rate(self) -> float:
        """The reused part of all calls, in percent."""
        return 100 * self.reused / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Batched:
    """How many tasks were put together, how many agents did them, how many model calls that saved.

    Tokens and cost are about what those calls would have taken to read.
    """

    tasks: int
    agents: int
    calls: int
    tokens: int
    cost: Decimal


def by_mission(mission_id: UUID) -> Saved:
    """In one mission. Two queries."""
    return _saved(Q(session__root_id=mission_id))


def by_project(project_id: UUID) -> Saved:
    """In one project, in all its time. Two queries."""
    return _saved(Q(project_id=project_id))


def everywhere() -> Saved:
    """In the whole installation, in all its time. Two queries."""
    return _saved(Q())


def _saved(within: Q) -> Saved:
    made = ToolExecution.objects.filter(within, kept_from__isnull=True).exclude(status=ExecutionStatus.REFUSED)
    tools: dict[str, Any] = made.aggregate(calls=Count("pk"), reused=Count("pk", filter=Q(is_reused=True)))
    reused = Q(is_reused=True)
    models: dict[str, Any] = ModelCall.objects.filter(within).aggregate(
        calls=Count("pk"),
        reused=Count("pk", filter=reused),
        tokens=Sum("saved_tokens", filter=reused, default=_NO_TOKENS),
        cost=Sum("saved_cost", filter=reused, default=_NO_COST),
    )
    return Saved(tools["calls"] + models["calls"], tools["reused"] + models["reused"], models["tokens"], models["cost"])


def batched_in_mission(mission_id: UUID) -> Batched:
    """In one mission. Two queries."""
    return _batched(AgentSession.objects.filter(root_id=mission_id), Q(session__root_id=mission_id))


def batched_in_project(project_id: UUID) -> Batched:
    """In one project, in all its time. Two queries."""
    return _batched(AgentSession.objects.filter(project_id=project_id), Q(project_id=project_id))


def _batched(sessions: QuerySet[AgentSession], within: Q) -> Batched:
    several = [
        count
        for batch in sessions.exclude(batch=[]).values_list("batch", flat=True).iterator()
        if (count := tasks_in(batch)) > 1
    ]
    calls: dict[str, Any] = ModelCall.objects.filter(within, is_reused=False, tasks__gt=1).aggregate(
        calls=Sum(F("tasks") - 1, default=0),
        tokens=Sum("saved_tokens", default=_NO_TOKENS),
        cost=Sum("saved_cost", default=_NO_COST),
    )
    return Batched(sum(several), len(several), calls["calls"], calls["tokens"], calls["cost"])


def tasks_in(batch: Iterable[dict[str, Any]]) -> int:
    """How many tasks of its delegation a session with this batch answers."""
    return sum(len(task["positions"]) for task in batch)
