"""What an edit, a fork, a replay or a roll back will do, in plain words before it is done."""

from dataclasses import dataclass
from typing import Any

from agents.errors import DomainError, NotFound, UndoFailed
from agents.lifecycle import ACTIVE, FINAL, Choice, RewindKind, SessionStatus
from agents.models import AgentSession, Rewind, ToolExecution
from agents.selectors import rewinds
from agents.selectors.sessions import Checkpoint
from orchestrator.runtime.states import Change
from orchestrator.tools.registry import tool_named
from orchestrator.web.words import spelled

_MOST_NAMES = 3
_HEADINGS = {
    RewindKind.EDIT: "Edit the state of {name}",
    RewindKind.FORK: "Fork {name} from checkpoint {number}",
    RewindKind.REPLAY: "Replay {name} from checkpoint {number}",
    RewindKind.ROLLBACK: "Roll {name} back to checkpoint {number}",
}
_BUTTONS = {
    RewindKind.EDIT: "Write the new state",
    RewindKind.FORK: "Fork from {number}",
    RewindKind.REPLAY: "Replay from {number}",
    RewindKind.ROLLBACK: "Roll back to {number}",
}
_DID = {
    RewindKind.EDIT: "The state of {name} was changed.",
    RewindKind.FORK: "A fork of {name} begins at checkpoint {number}.",
    RewindKind.REPLAY: "{name} runs again from checkpoint {number}.",
    RewindKind.ROLLBACK: "{name} is back at checkpoint {number}.",
}


@dataclass(frozen=True, slots=True)
class Consequence:
    """One sentence or two, with the icon that stands before them."""

    icon: str
    text: str


def heading(kind: RewindKind, session: AgentSession, at: Checkpoint) -> str:
    """What the page is about."""
    return _HEADINGS[kind].format(name=session.name, number=at.number)


def button(kind: RewindKind, at: Checkpoint) -> str:
    """What is pressed to do it."""
    return _BUTTONS[kind].format(number=at.number)


def did(kind: RewindKind, session: AgentSession, at: Checkpoint) -> str:
    """That it was done."""
    return _DID[kind].format(name=session.name, number=at.number)


def consequences(kind: RewindKind, session: AgentSession, at: Checkpoint) -> list[Consequence]:
    """What will happen to the agent, to those around it, and to what it asked. Up to three queries."""
    if kind is RewindKind.FORK:
        return _of_fork(session, at)
    held = why_not(session)
    return [
        *([Consequence("alert", f"Not now: {held}")] if held else []),
        Consequence("flag", _of_state(kind, at)),
        Consequence("retrying" if kind is RewindKind.REPLAY else "paused", _of_work(kind, session)),
        *_of_others(kind, session),
    ]


def _of_fork(session: AgentSession, at: Checkpoint) -> list[Consequence]:
    result = (
        f"The agent above waits for “{session.name}”, not for the fork: what the fork comes to does not count there."
        if session.parent_id
        else "The fork is a mission of its own, and reads the same sources."
    )
    return [
        Consequence("fork", f"A second “{session.name}” starts beside it from the state of checkpoint {at.number}."),
        Consequence("info", f"“{session.name}” is not touched. Its states and questions stay, its work goes on."),
        Consequence("bolt", "What it has done stands: a fork undoes nothing."),
        Consequence("link", result),
    ]


def _of_state(kind: RewindKind, at: Checkpoint) -> str:
    if kind is RewindKind.EDIT:
        return f"A new checkpoint with your values follows checkpoint {at.number}. What was before stays to be seen."
    return (
        f"The state of checkpoint {at.number} becomes the current one again, as a new checkpoint. "
        "The checkpoints after it stay where they are, on a branch of their own."
    )


def _of_work(kind: RewindKind, session: AgentSession) -> str:
    if kind is RewindKind.REPLAY:
        above = " The agent above waits for its result again." if session.parent_id else ""
        return f"“{session.name}” runs again from there, in a new run.{above if session.status in FINAL else ''}"
    if session.status in ACTIVE:
        return f"Nothing runs. “{session.name}” is paused until somebody resumes it."
    return f"Nothing runs: “{session.name}” has ended and stays so. A replay sets it going."


def _of_others(kind: RewindKind, session: AgentSession) -> list[Consequence]:
    found = []
    if count := rewinds.asked(session).count():
        what = "Its open request to people is" if count == 1 else f"Its {spelled(count)} open requests to people are"
        found.append(Consequence("human", f"{what} withdrawn."))
    if names := rewinds.at_work_below(session):
        rest = len(names) - _MOST_NAMES
        told = ", ".join(names[:_MOST_NAMES]) + (f" and {spelled(rest)} more" if rest > 0 else "")
        again = " When it delegates again, new ones stand for them." if kind is RewindKind.REPLAY else ""
        found.append(Consequence("cancelled", f"Those that work for it are stopped: {told}.{again}"))
    return found


_ICONS = {
    RewindKind.EDIT: "edit",
    RewindKind.FORK: "fork",
    RewindKind.REPLAY: "retrying",
    RewindKind.ROLLBACK: "undo",
}
_DONE = {Choice.KEEP: "kept", Choice.REPEAT: "to be repeated", Choice.UNDO: "undone"}


def icon(rewind: Rewind | None) -> str:
    """The icon of a kind of rewind."""
    return _ICONS[RewindKind(rewind.kind)] if rewind else "info"


def details(rewind: Rewind) -> str:
    """Which values a rewind changed and what became of the calls behind its state; or why it failed."""
    if rewind.error:
        return rewind.error
    change = Change.of_text(rewind.change)
    chosen = list(rewind.chosen.values()) if rewind.kind != RewindKind.EDIT else []
    calls = ", ".join(f"{count} {_DONE[choice]}" for choice in Choice if (count := chosen.count(choice)))
    parts = [
        f"Changed {', '.join(change.values)}" if change.values else "",
        f"as if {change.as_node} had written it" if change.as_node else "",
        f"side effects: {calls}" if calls else "",
    ]
    told = "; ".join(filter(None, parts))
    return f"{told[:1].upper()}{told[1:]}." if told else ""


def why_not(session: AgentSession) -> str:
    """Why the state of an agent cannot be changed at the moment; empty when it can."""
    if session.status == SessionStatus.RUNNING:
        return "it is running: pause or stop it first."
    return "it has not begun." if session.status == SessionStatus.IDLE else ""


@dataclass(frozen=True, slots=True)
class Undone:
    """A call that was to be taken back, and what became of that: undone, failed or left."""

    title: str
    call: ToolExecution
    outcome: str


def undone(error: DomainError | None) -> list[Undone]:
    """What became of each call that a rewind was to undo, in the order in which it tried. One query."""
    if not isinstance(error, UndoFailed):
        return []
    outcomes: dict[Any, str] = {
        **dict.fromkeys(error.data["undone"], "undone"),
        error.data["failed"]: "failed",
        **dict.fromkeys(error.data["left"], "left"),
    }
    calls = ToolExecution.objects.select_related("session").in_bulk(list(outcomes))
    return [Undone(_title(calls[pk]), calls[pk], outcome) for pk, outcome in outcomes.items() if pk in calls]


def _title(call: ToolExecution) -> str:
    try:
        return tool_named(call.tool_name).title
    except NotFound:
        return call.tool_name
