"""One agent: its checkpoints, messages, talk with others and tool calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from agents.models import AgentCommunication, AgentMessage, AgentState, ToolExecution

MOST = 200  # rows of one kind on the page


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One saved state in the row of them. `step` is LangGraph's own count, -1 for the input.

    Checkpoints with one parent are branches. A parent may be missing: it was pruned, or never saved.
    """

    number: int
    checkpoint_id: UUID
    parent_id: UUID | None
    step: int
    source: str
    at: datetime
    size: int
    name: str
    is_current: bool
    damaged_at: datetime | None = None


def checkpoints(session_id: UUID) -> list[Checkpoint]:
    """An agent's checkpoints, oldest first, without those of sub-graphs. One query."""
    rows = (
        AgentState.objects.filter(session_id=session_id, checkpoint_ns="")
        .order_by("created_at", "checkpoint_id")
        .values_list(
            "checkpoint_id",
            "parent_id",
            KeyTransform("step", "metadata"),
            KeyTextTransform("source", "metadata"),
            "created_at",
            "size_bytes",
            "checkpoint_name",
            "is_current",
            "damaged_at",
        )
    )
    return [
        Checkpoint(number, pk, parent, step or 0, source or "", at, size, name, is_current, damaged_at)
        for number, (pk, parent, step, source, at, size, name, is_current, damaged_at) in enumerate(rows)
    ]


def messages(session_id: UUID, *, limit: int = MOST) -> Sequence[AgentMessage]:
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


@dataclass(frozen=True, slots=True)
class Said:
    """What an agent said, or what it and another told each other; one of the two is None."""

    at: datetime
    message: AgentMessage | None
    told: AgentCommunication | None


def said(session_id: UUID) -> list[Said]:
    """What an agent said and was told, oldest first. Two queries."""
    told = (
        AgentCommunication.objects.filter(Q(sender_session_id=session_id) | Q(receiver_session_id=session_id))
        .select_related("sender_session", "receiver_session")
        .order_by("-created_at")[:MOST]
    )
    found = [Said(one.created_at, one, None) for one in messages(session_id)]
    found += [Said(one.created_at, None, one) for one in told]
    return sorted(found, key=lambda one: one.at)
