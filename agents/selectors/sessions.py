"""One agent: its checkpoints, messages, talk with others and tool calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agents.models import AgentCommunication, AgentMessage, AgentSession, AgentState, ToolExecution


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One saved state in the row of them. `step` is LangGraph's own count, -1 for the input."""

    number: int
    checkpoint_id: UUID
    step: int
    source: str
    at: datetime
    size: int
    name: str
    is_current: bool


def checkpoints(session_id: UUID) -> list[Checkpoint]:
    """An agent's checkpoints, oldest first, without those of sub-graphs. One query."""
    rows = (
        AgentState.objects.filter(session_id=session_id, checkpoint_ns="")
        .order_by("created_at", "checkpoint_id")
        .values_list("checkpoint_id", "metadata", "created_at", "size_bytes", "checkpoint_name", "is_current")
    )
    return [
        Checkpoint(number, pk, metadata.get("step", 0), metadata.get("source", ""), at, size, name, is_current)
        for number, (pk, metadata, at, size, name, is_current) in enumerate(rows)
    ]


def messages(session_id: UUID, *, limit: int = 200) -> Sequence[AgentMessage]:
    """What an agent said, oldest first. One query."""
    found = AgentMessage.objects.filter(session_id=session_id).order_by("-created_at")[:limit]
    return list(reversed(found))


def mission_messages(mission_id: UUID, *, limit: int = 60) -> Sequence[AgentMessage]:
    """What the agents of a mission said, newest first. One query."""
    found = AgentMessage.objects.filter(session__root_id=mission_id).select_related("session")
    return list(found.order_by("-created_at")[:limit])


def tool_calls(session_id: UUID, *, limit: int = 100) -> Sequence[ToolExecution]:
    """An agent's tool calls, oldest first. One query."""
    found = ToolExecution.objects.filter(session_id=session_id).order_by("-created_at")[:limit]
    return list(reversed(found))


def talk(session_id: UUID, *, limit: int = 50) -> Sequence[AgentCommunication]:
    """What an agent and others told each other, oldest first. One query."""
    found = (
        AgentCommunication.objects.filter(sender_session_id=session_id)
        | AgentCommunication.objects.filter(receiver_session_id=session_id)
    ).select_related("sender_session", "receiver_session")
    return list(reversed(found.order_by("-created_at")[:limit]))


def parent_of(session: AgentSession) -> AgentSession | None:
    """The agent above. One query where there is one."""
    return AgentSession.objects.filter(pk=session.parent_id).first() if session.parent_id else None
