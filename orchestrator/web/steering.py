"""The buttons that steer and rewind an agent: which are on, and why the others are not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from agents.lifecycle import Control, SessionStatus
from agents.models import AgentSession
from agents.selectors import reach
from agents.selectors.reach import Reach
from agents.selectors.standing import Standing, awaited_signals, standing
from orchestrator.runtime.agent_types import is_known
from orchestrator.web import control_words
from orchestrator.web.chrome import Chrome
from orchestrator.web.history import History
from orchestrator.web.rewind_words import why_not


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom an action concerns: the agent alone (one), or with all below it (below); and what it will do to them."""

    value: str
    label: str
    will: str


@dataclass(frozen=True, slots=True)
class Verb:
    """One button. `why` is empty when it is on; then `scopes` has at least one. `names` may be chosen from."""

    name: str
    label: str
    icon: str
    why: str
    scopes: tuple[Scope, ...] = ()
    names: tuple[str, ...] = ()


def verbs(session: AgentSession, chrome: Chrome) -> list[Verb]:
    """What a person can ask of an agent now, and of all below it."""
    one, all_ = reach.alone(session), reach.with_all_below(session)
    below = all_.agents - one.agents
    offered = [
        Verb("pause", "Pause", "paused", _why_not_pause(session, all_)),
        Verb("resume", "Resume", "play", _why_not_resume(session, all_)),
        Verb("retry", "Retry", "retrying", _why_not_retry(session)),
        Verb("prioritise", "Priority", "priority", "" if all_.active else "nobody is at work here."),
        Verb("tell", "Message", "message", "" if all_.active else "nobody is at work who could read it."),
        Verb("cancel", "Stop", "x", _why_not_cancel(session, all_)),
    ]
    if session.status == SessionStatus.WAITING_EVENT and (names := awaited_signals(session)):
        scope = Scope("one", "It alone", control_words.SIGNAL)
        offered.insert(0, Verb("signal", "Send signal", "bolt", "", (scope,), tuple(names)))
    if not chrome.may_operate:
        why = f"your role is {chrome.role}; operators steer agents."
        return [replace(verb, why=why) for verb in offered]
    alone = {"pause": one.running + one.resting, "resume": one.paused + one.running, "cancel": 0, "retry": 1}
    return [
        verb
        if verb.scopes
        else replace(verb, scopes=tuple(_scopes(verb.name, one, all_, below, alone.get(verb.name, one.active))))
        for verb in offered
    ]


def _scopes(verb: str, one: Reach, all_: Reach, below: int, alone: int) -> Iterator[Scope]:
    if below and verb != "retry":
        yield Scope("below", f"It and all {below} below it", control_words.will(verb, all_, below=True))
    if alone or not below:
        yield Scope("one", "It alone", control_words.will(verb, one, below=False))
    if below and verb == "retry":
        yield Scope("below", f"It and all {below} below it", control_words.will(verb, all_, below=True))


def rewinds(session: AgentSession, history: History, chrome: Chrome) -> list[Verb]:
    """What a person can do with the checkpoint that is looked at."""
    at = history.selected
    if at is None:
        return []
    held = why_not(session)
    edit = "" if at.is_current else "only the current state is edited; a fork from here may change this one."
    back = "this is the current state." if at.is_current else ""
    step = history.state.step
    over = "" if step is None or step.next else "nothing is left to do in that state: choose an earlier one."
    offered = [
        Verb("edit", "Edit state", "edit", edit or held),
        Verb("fork", f"Fork from {at.number}", "fork", ""),
        Verb("replay", f"Replay from {at.number}", "retrying", over or held),
        Verb("rollback", f"Roll back to {at.number}", "undo", back or held),
    ]
    if reason := _why_no_rewind(session, chrome):
        return [Verb(verb.name, verb.label, verb.icon, reason) for verb in offered]
    return offered


def _why_no_rewind(session: AgentSession, chrome: Chrome) -> str:
    if not is_known(session.agent_type):
        return f"nothing here runs agents of the type {session.agent_type}."
    return "" if chrome.may_operate else f"your role is {chrome.role}; operators change states."


def _why_not_pause(session: AgentSession, all_: Reach) -> str:
    if session.control == Control.CANCEL:
        return "it is being stopped."
    is_held = session.status == SessionStatus.PAUSED or session.control == Control.PAUSE
    if all_.running + all_.resting > (1 if session.control == Control.PAUSE else 0):
        return ""
    return "it is paused already." if is_held else "it is not at work."


def _why_not_resume(session: AgentSession, all_: Reach) -> str:
    if all_.paused or session.control == Control.PAUSE:
        return ""
    if standing(session) is Standing.HUMAN:
        return "it is not paused, it waits for a decision."
    return "it is not paused."


def _why_not_retry(session: AgentSession) -> str:
    return "" if standing(session) in (Standing.FAILED, Standing.CANCELLED) else "nothing failed in this agent."


def _why_not_cancel(session: AgentSession, all_: Reach) -> str:
    if not all_.active:
        return "it has ended."
    return "it stops at its next checkpoint." if session.control == Control.CANCEL else ""
