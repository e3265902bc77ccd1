"""What happened in a mission or to one agent, newest first, from its events and the rows that they name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.lifecycle import ExecutionStatus, RewindStatus, SessionStatus
from agents.models import AgentEvent, AgentMessage, AgentSession, Approval, Rewind, ToolExecution

# Statuses that somebody wants to hear of; the rest is seen on the lanes.
_TOLD = (
    SessionStatus.SUCCEEDED,
    SessionStatus.FAILED,
    SessionStatus.CANCELLED,
    SessionStatus.PAUSED,
)
_TOOLS_TOLD = (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.REFUSED)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event with the rows that it names. `agent` is None for an event of nobody in particular."""

    event_id: UUID
    kind: str
    at: datetime
    agent: AgentSession | None
    status: str
    message: AgentMessage | None
    execution: ToolExecution | None
    approval: Approval | None
    rewind: Rewind | None = None


def of_mission(mission_id: UUID, *, limit: int = 50) -> list[Happening]:
    """What happened in a mission. Six queries."""
    return _told(AgentEvent.objects.filter(correlation_id=mission_id), limit)


def of_session(session: AgentSession, *, limit: int = 50) -> list[Happening]:
    """What happened to one agent. Six queries."""
    return _told(
        AgentEvent.objects.filter(correlation_id=session.root_id).filter(
            Q(aggregate_id=session.pk) | Q(event_data__session_id=str(session.pk))
        ),
        limit,
    )


def _told(events: QuerySet[AgentEvent], limit: int) -> list[Happening]:
    found = list(
        events.filter(
            Q(event_type__in=["session.created", "session.said", "approval.requested", "approval.decided"])
            | Q(event_type="session.moved", event_data__status__in=_TOLD)
            | Q(event_type="tool.moved", event_data__status__in=_TOOLS_TOLD)
            | Q(event_type="session.rewound", event_data__status__in=[RewindStatus.DONE, RewindStatus.FAILED])
        ).order_by("-timestamp")[:limit]
    )
    return _with_rows(found)


def _with_rows(events: Sequence[AgentEvent]) -> list[Happening]:
    messages = AgentMessage.objects.in_bulk(_named(events, "message_id"))
    executions = ToolExecution.objects.in_bulk(_named(events, "execution_id"))
    approvals = Approval.objects.select_related("decided_by").in_bulk(
        [event.aggregate_id for event in events if event.aggregate_type == "approval"]
    )
    rewinds = Rewind.objects.select_related("user", "fork").in_bulk(_named(events, "rewind_id"))
    agents = AgentSession.objects.select_related("current_run", "forked_from").in_bulk(
        {_agent(event) for event in events}
    )
    return [
        Happening(
            event.pk,
            event.event_type,
            event.timestamp,
            agents.get(_agent(event)),
            event.event_data.get("status", ""),
            messages.get(_id(event, "message_id")),
            executions.get(_id(event, "execution_id")),
            approvals.get(event.aggregate_id),
            rewinds.get(_id(event, "rewind_id")),
        )
        for event in events
    ]


def _agent(event: AgentEvent) -> Any:
    return event.aggregate_id if event.aggregate_type == "session" else _id(event, "session_id")


def _id(event: AgentEvent, name: str) -> Any:
    value = event.event_data.get(name)
    return UUID(value) if value else None


def _named(events: Iterable[AgentEvent], name: str) -> set[Any]:
    return {_id(event, name) for event in events} - {None}
