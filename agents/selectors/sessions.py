"""One agent: its checkpoints, messages and tool calls."""

from collections.abc import Sequence
from uuid import UUID

from agents.models import AgentCommunication, AgentMessage, AgentSession, ToolExecution


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
