"""How a session ends: its run, its status, its requests, and word to the agent above, in one transaction."""

from dataclasses import dataclass
from typing import Any

from agents.actor import SYSTEM, Actor
from agents.events import causes
from agents.lifecycle import RunStatus, SessionStatus
from agents.models import AgentSession
from agents.services import approvals, coordination, requests, sessions, waits

_RUN = {
    SessionStatus.SUCCEEDED: RunStatus.SUCCEEDED,
    SessionStatus.FAILED: RunStatus.FAILED,
    SessionStatus.CANCELLED: RunStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended. `error` is a sentence for people, `code` names its kind."""

    status: SessionStatus
    output: Any = None
    error: str = ""
    code: str = ""


def finish(session: AgentSession, ending: Ending, *, actor: Actor = SYSTEM) -> None:
    """End a locked session. The parent's wait is counted down, and answered with the last child it needed."""
    sessions.end_run(session, _RUN[ending.status], output=ending.output, error=ending.error, code=ending.code)
    sessions.move(session, ending.status, actor=actor, cause=ending.code)
    with causes.caused_by(session.move_id):
        approvals.withdraw(session, ending.error or f"The agent has {ending.status}.")
        requests.withdraw(session, waits.close(session))
        coordination.report(session)
        waits.count_down(session)
        requests.attend_after_commit(session)
