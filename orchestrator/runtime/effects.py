"""The side effects behind a state of an agent, and what can be done about each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents.errors import NotFound
from agents.lifecycle import CHOICES, Choice, ExecutionStatus, Policy, Reversal, RewindKind
from agents.models import ToolExecution
from agents.selectors import effects
from orchestrator.tools.registry import tool_named
from orchestrator.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class SideEffect:
    """A tool call that changed the world, or may have: `is_certain` is false while nobody knows.

    `trouble` says why an earlier try to undo it failed. `answers`: its result would answer the same call again.
    `undo_asks`: only an approver may have it undone.
    """

    call: ToolExecution
    title: str
    reversal: Reversal
    is_certain: bool
    answers: bool
    trouble: str
    undo_asks: bool = False

    def choices(self, kind: RewindKind) -> Sequence[Choice]:
        """What a person may choose for it in a rewind of `kind`; the first is what happens without a choice."""
        can_undo = self.reversal is Reversal.UNDOABLE and self.is_certain
        return [choice for choice in Choice if choice in CHOICES[kind] and (choice is not Choice.UNDO or can_undo)]


def effects_since(session_id: UUID, checkpoint_id: UUID) -> list[SideEffect]:
    """What a session and the agents that work for it did to the world after a state of it, oldest first.

    Calls of tools that only read are left out. Raises NotFound when the session has no such state.
    """
    found = (_effect(call) for call in effects.calls_since(session_id, checkpoint_id))
    return [effect for effect in found if effect is not None]


def _effect(call: ToolExecution) -> SideEffect | None:
    try:
        tool = tool_named(call.tool_name)
    except NotFound:  # a tool of an earlier day: nobody knows how to undo it
        title, reversal = call.tool_name, Reversal.NEITHER
    else:
        if tool.reads_only:
            return None
        title, reversal = tool.title, _reversal(tool)
    compensation = getattr(call, "compensation", None)
    return SideEffect(
        call=call,
        title=title,
        reversal=reversal,
        is_certain=call.status == ExecutionStatus.COMPLETED,
        answers=call.superseded_at is None,
        trouble=compensation.error_message if compensation else "",
        undo_asks=reversal is Reversal.UNDOABLE and undo_asks(call),
    )


def _reversal(tool: Tool[Any]) -> Reversal:
    if tool.compensation and tool_named(tool.compensation.tool).policy is Policy.REFUSE:
        return Reversal.REPEATABLE if tool.idempotent else Reversal.NEITHER
    return tool.reversal


def undo_asks(call: ToolExecution) -> bool:
    """Does a policy want an approver for the compensation of this call?"""
    compensation = tool_named(call.tool_name).compensation
    return compensation is not None and tool_named(compensation.tool).policy is Policy.ASK
