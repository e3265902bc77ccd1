"""Requests to people: lists of them, and one with all that a decision needs."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Case, IntegerField, QuerySet, Value, When

from agents.lifecycle import ApprovalStatus, Risk
from agents.models import AgentSession, Approval
from agents.selectors.standing import Waiting, waiting

_RISK_ORDER = {Risk.HIGH: 0, Risk.MEDIUM: 1, Risk.LOW: 2}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which requests are listed. `mine` holds the person whose missions count; None: everybody's."""

    mine: UUID | None = None
    risk: str = ""
    tool: str = ""


def pending(project_id: UUID, filters: Filters | None = None) -> QuerySet[Approval]:
    """The open requests of a project: those with a deadline first, then by risk, then the oldest."""
    found = Approval.objects.filter(project_id=project_id, status=ApprovalStatus.PENDING)
    filters = filters or Filters()
    if filters.mine:
        found = found.filter(session__root__user_id=filters.mine)
    if filters.risk:
        found = found.filter(risk=filters.risk)
    if filters.tool:
        found = found.filter(tool_name=filters.tool)
    risk = Case(
        *[When(risk=name, then=Value(order)) for name, order in _RISK_ORDER.items()],
        output_field=IntegerField(),
    )
    return found.select_related("session", "session__root").order_by(
        Case(When(deadline_at=None, then=Value(1)), default=Value(0)), "deadline_at", risk, "created_at"
    )


def waiting_ids(project_id: UUID, limit: int = 100) -> list[UUID]:
    """Ids of the open requests of a project. One query."""
    found = Approval.objects.filter(project_id=project_id, status=ApprovalStatus.PENDING)
    return list(found.order_by("created_at").values_list("pk", flat=True)[:limit])


def decided(project_id: UUID, limit: int = 5) -> list[Approval]:
    """The latest decisions. One query."""
    found = Approval.objects.filter(project_id=project_id).exclude(status=ApprovalStatus.PENDING)
    return list(found.select_related("decided_by", "session", "session__root").order_by("-decided_at")[:limit])


@dataclass(frozen=True, slots=True)
class Context:
    """What stands behind a request: the agents above the asking one, what it waits for, who else waits with it."""

    chain: tuple[AgentSession, ...]
    waiting: Waiting | None
    asked_at: datetime
    held_up: int


def context(approval: Approval) -> Context:
    """The context of a request. Four queries."""
    session = approval.session
    above = AgentSession.objects.in_bulk([*session.path, session.pk])
    chain = tuple(above[pk] for pk in [*session.path, session.pk] if pk in above)
    return Context(
        chain,
        waiting([session]).get(session.pk),
        approval.created_at,
        sum(one.status == "waiting_children" for one in chain),
    )


def on_tool(approval: Approval, limit: int = 5) -> list[Approval]:
    """The latest decisions about the same tool in the same project. One query."""
    found = Approval.objects.filter(project_id=approval.project_id, tool_name=approval.tool_name)
    found = found.exclude(status=ApprovalStatus.PENDING).exclude(pk=approval.pk)
    return list(found.select_related("decided_by", "session__root").order_by("-decided_at")[:limit])
