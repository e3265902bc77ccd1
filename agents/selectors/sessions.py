"""One agent: its checkpoints, messages, talk with others and tool calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from agents.models import AgentCommunication, AgentMessage, AgentState, ToolExecution
from agents.words import CommunicationOutcome as Outcome
from agents.words import CommunicationType

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


def tool_calls(session_id: UUID, *, limit: int = 100) -> Sequence[ToolExecution]:
    """An agent's tool calls, oldest first. One query."""
    found = ToolExecution.objects.filter(session_id=session_id).order_by("-created_at")[:limit]
    return list(reversed(found))


@dataclass(frozen=True, slots=True)
class Said:
    """What an agent said, or what it and another told each other; one of the two is None.

    `words` are what was told; `tone` says how it stands.
    """

    at: datetime
    message: AgentMessage | None
    told: AgentCommunication | None
    words: str = ""
    tone: str = "info"


_TONES = {Outcome.ANSWERED: "ok", Outcome.TIMED_OUT: "failed", Outcome.DECLINED: "failed"}
_OF_DELEGATION = (CommunicationType.TASK_ASSIGNMENT, CommunicationType.RESULT, CommunicationType.ERROR)


def said(session_id: UUID) -> list[Said]:
    """What an agent said and was told, oldest first. Two queries."""
    told = AgentCommunication.objects.filter(Q(sender_session_id=session_id) | Q(receiver_session_id=session_id))
    found = [Said(one.created_at, one, None) for one in messages(session_id)]
    return sorted([*found, *_told(told, MOST)], key=lambda one: one.at)


def mission_said(mission_id: UUID, *, limit: int = 60) -> list[Said]:
    """What the agents of a mission said and told each other, without tasks and results, newest first. Two queries."""
    messages_of = AgentMessage.objects.filter(session__root_id=mission_id).select_related("session")
    found = [Said(one.created_at, one, None) for one in messages_of.order_by("-created_at")[:limit]]
    told = AgentCommunication.objects.filter(sender_session__root_id=mission_id)
    found += _told(told.exclude(message_type__in=_OF_DELEGATION), limit)
    return sorted(found, key=lambda one: one.at, reverse=True)[:limit]


def _told(found: QuerySet[AgentCommunication], limit: int) -> list[Said]:
    rows = found.select_related("sender_session", "receiver_session").order_by("-created_at")[:limit]
    return [Said(one.created_at, None, one, _words(one), _tone(one)) for one in rows]


def _tone(told: AgentCommunication) -> str:
    if told.message_type == CommunicationType.ERROR:
        return "failed"
    if told.wait_id is None:
        return "info"
    return _TONES.get(Outcome(told.outcome), "waiting" if told.outcome == Outcome.OPEN else "info")


def _words(told: AgentCommunication) -> str:
    """A content in words: named parts, without ids."""
    parts = {
        name: value for name, value in told.message_content.items() if name != "run_id" and value not in ("", None)
    }
    return "; ".join(f"{name.replace('_', ' ')}: {_part(value)}" for name, value in parts.items())


def _part(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_part(part)}" for name, part in value.items())
    return ", ".join(map(_part, value)) if isinstance(value, list) else str(value)
