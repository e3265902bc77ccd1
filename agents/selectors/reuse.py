"""What reused results saved."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum

from agents.models import ModelCall, ToolExecution


@dataclass(frozen=True, slots=True)
class Saved:
    """How many calls of models and tools there were, how many were answered by kept results, what that saved."""

    calls: int
    reused: int
    tokens: int
    cost: Decimal

    @property
    def rate(self) -> float:
        """The reused part of all calls, in percent."""
        return 100 * self.reused / self.calls if self.calls else 0.0


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
    tools: dict[str, Any] = ToolExecution.objects.filter(within).aggregate(
        calls=Count("pk"), reused=Count("pk", filter=Q(is_reused=True))
    )
    models: dict[str, Any] = ModelCall.objects.filter(within).aggregate(
        calls=Count("pk"),
        reused=Count("pk", filter=Q(is_reused=True)),
        tokens=Sum("saved_tokens", default=0),
        cost=Sum("saved_cost", default=Decimal(0)),
    )
    return Saved(tools["calls"] + models["calls"], tools["reused"] + models["reused"], models["tokens"], models["cost"])
