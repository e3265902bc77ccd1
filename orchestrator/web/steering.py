"""The buttons that steer an agent: which are on, and why the others are not."""

from dataclasses import dataclass

from agents.lifecycle import ACTIVE, Control, SessionStatus
from agents.models import AgentSession
from agents.selectors.standing import Standing, standing
from orchestrator.web.chrome import Chrome


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
