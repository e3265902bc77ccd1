"""What happened in a mission or to one agent, newest first, from its events and the rows that they name."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.events import rows
from agents.lifecycle import ExecutionStatus, RewindStatus, SessionStatus
from agents.models import AgentEvent, AgentMessage, AgentSession, Approval, Rewind, ToolExecution

# Events that somebody wants to hear of, some only with these statuses; the rest is seen on the lanes.
_TOLD: Mapping[str, Collection[str] | None] = {
    "session.created": None,
    "session.said": None,
    "approval.requested": None,
    "approval.decided": None,
    "session.moved": (
        SessionStatus.SUCCEEDED,
        SessionStatus.FAILED,
        SessionStatus.CANCELLED,
        SessionStatus.PAUSED,
    ),
    "tool.moved": (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.REFUSED),
    "session.rewound": (RewindStatus.DONE, RewindStatus.FAILED),
}


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
    """What happened in a mission. Seven queries."""
    return _told(AgentEvent.objects.filter(correlation_id=mission_id), _archived(mission_id), limit)


def of_session(session: AgentSession, *, limit: int = 50) -> list[Happening]:
    """What happened to one agent. Seven queries."""
    live = AgentEvent.objects.filter(correlation_id=session.root_id).filter(
        Q(aggregate_id=session.pk) | Q(event_data__session_id=str(session.pk))
    )
    archived = (event for event in _archived(session.root_id) if _agent(event) == session.pk)
    return _told(live, archived, limit)


def _archived(mission_id: UUID) -> Iterator[AgentEvent]:
    for row in rows.archived(mission_id, _TOLD):
        statuses = _TOLD[row.event_type]
        if statuses is None or row.data.get("status") in statuses:
            yield AgentEvent(
                event_id=row.event_id,
                event_type=row.event_type,
                aggregate_id=row.aggregate_id,
                aggregate_type=row.aggregate_type,
                event_data=row.data,
                timestamp=row.at,
            )


def _told(live: QuerySet[AgentEvent], archived: Iterable[AgentEvent], limit: int) -> list[Happening]:
    wanted = Q()
    for name, statuses in _TOLD.items():
        wanted |= Q(event_type=name) if statuses is None else Q(event_type=name, event_data__status__in=statuses)
    found = list(live.filter(wanted).order_by("-timestamp")[:limit])
    found += nlargest(limit - len(found), archived, key=attrgetter("timestamp"))  # what is archived is older
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
