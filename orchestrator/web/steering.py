"""The buttons that steer and rewind an agent: which are on, and why the others are not."""

from dataclasses import dataclass

from agents.lifecycle import ACTIVE, Control, SessionStatus
from agents.models import AgentSession
from agents.selectors.standing import Standing, standing
from orchestrator.runtime.agent_types import is_known
from orchestrator.web.chrome import Chrome
from orchestrator.web.history import History
from orchestrator.web.rewind_words import why_not


@dataclass(frozen=True, slots=True)
class Verb:
    """One button. `why` is empty when it is on."""

    name: str
    label: str
    icon: str
    why: str


def verbs(session: AgentSession, chrome: Chrome) -> list[Verb]:
    """What a person can ask of an agent now."""
    offered = [
        Verb("pause", "Pause", "paused", _why_not_pause(session)),
        Verb("resume", "Resume", "play", _why_not_resume(session)),
        Verb("retry", "Retry", "retrying", _why_not_retry(session)),
        Verb("cancel", "Stop", "x", _why_not_cancel(session)),
    ]
    if chrome.may_operate:
        return offered
    why = f"your role is {chrome.role}; operators steer agents."
    return [Verb(verb.name, verb.label, verb.icon, why) for verb in offered]


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


def _why_not_pause(session: AgentSession) -> str:
    if session.status not in ACTIVE:
        return "it is not at work."
    if session.status == SessionStatus.PAUSED or session.control == Control.PAUSE:
        return "it is paused already."
    return "it is being stopped." if session.control == Control.CANCEL else ""


def _why_not_resume(session: AgentSession) -> str:
    if session.status == SessionStatus.PAUSED or session.control == Control.PAUSE:
        return ""
    if standing(session) is Standing.HUMAN:
        return "it is not paused, it waits for a decision."
    return "it is not paused."


def _why_not_retry(session: AgentSession) -> str:
    return "" if standing(session) in (Standing.FAILED, Standing.CANCELLED) else "nothing failed in this agent."


def _why_not_cancel(session: AgentSession) -> str:
    if session.status not in ACTIVE:
        return "it has ended."
    return "it stops at its next checkpoint." if session.control == Control.CANCEL else ""
