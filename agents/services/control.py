"""Pause, go on, stop, try again: what people ask of an agent."""

from uuid import UUID

from django.db import transaction

from agents.actor import Actor
from agents.errors import InvalidTransition
from agents.lifecycle import ACTIVE, FINAL, WAITING, Control, SessionStatus
from agents.models import AgentSession
from agents.services import endings, letters, sessions, waits


@transaction.atomic
def cancel(session_id: UUID, *, actor: Actor, reason: str) -> bool:
    """Stop an agent: at its next checkpoint if it runs, else at once. False when it had ended already."""
    session = sessions.lock(session_id)
    if session.status in FINAL:
        return False
    if session.status == SessionStatus.RUNNING:
        if session.control != Control.CANCEL:
            sessions.set_control(session, Control.CANCEL, actor=actor, reason=reason)
        return True
    endings.finish(session, endings.Ending(SessionStatus.CANCELLED, error=reason, code="cancelled"), actor=actor)
    return True


@transaction.atomic
def pause(session_id: UUID, *, actor: Actor, reason: str) -> bool:
    """Let an agent rest: at its next checkpoint if it runs, else at once. False when there is nothing to pause."""
    session = sessions.lock(session_id)
    if session.status == SessionStatus.RUNNING and session.control == Control.NONE:
        sessions.set_control(session, Control.PAUSE, actor=actor, reason=reason)
        return True
    if session.status in WAITING or session.status == SessionStatus.QUEUED:
        session.control_reason = reason
        session.save(update_fields=["control_reason"])
        sessions.move(session, SessionStatus.PAUSED, actor=actor, cause="paused")
        return True
    return False


@transaction.atomic
def resume(session_id: UUID, *, actor: Actor) -> bool:
    """Let a paused agent go on where it was. False when it was not paused."""
    session = sessions.lock(session_id)
    if session.status == SessionStatus.PAUSED:
        sessions.set_control(session, Control.NONE, actor=actor)
        sessions.move(session, waits.resting_status(session), actor=actor, cause="resumed")
        return True
    if session.status == SessionStatus.RUNNING and session.control == Control.PAUSE:
        sessions.set_control(session, Control.NONE, actor=actor)
        return True
    return False


@transaction.atomic
def retry(session_id: UUID, *, actor: Actor) -> AgentSession:
    """A new run of an agent that failed or was stopped; it takes up the work where it broke off.

    Raises InvalidTransition when it has not failed, or when the agent above has gone on without it.
    """
    session = sessions.lock(session_id)
    if session.status not in {SessionStatus.FAILED, SessionStatus.CANCELLED}:
        state = "still at work" if session.status in ACTIVE else session.status
        raise InvalidTransition(f"Only an agent that failed or was stopped can be tried again; this one is {state}.")
    waits.reopen(session)
    sessions.start_run(session, "retry", actor=actor)
    letters.replayed(session, actor=actor)
    return session
