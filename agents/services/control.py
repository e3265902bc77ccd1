"""Pause, go on, stop, try again, put first, tell: what people ask of one agent, each in one transaction."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Subquery
from django.db.models.functions import Now

from agents.actor import Actor, person
from agents.errors import InvalidTransition
from agents.events import store
from agents.events.types import SessionDeadlineSet, SessionPrioritised
from agents.ids import new_id
from agents.lifecycle import ACTIVE, FINAL, WAITING, Control, ExecutionStatus, SessionStatus
from agents.models import AgentSession, AgentState, User
from agents.services import approvals, communications, endings, ledger, letters, messages, sessions, waits
from agents.words import MessageType

ENDED_BADLY = frozenset({SessionStatus.FAILED, SessionStatus.CANCELLED})


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
def pause(session_id: UUID, *, actor: Actor, reason: str, below: bool = False) -> bool:
    """Let an agent rest: at its next checkpoint if it runs, else at once. False when there is nothing to pause.

    `below`: those that it starts later begin paused, too.
    """
    session = sessions.lock(session_id)
    if below and session.status not in FINAL:
        sessions.hold_below(session, True)
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
def resume(session_id: UUID, *, actor: Actor, below: bool = False) -> bool:
    """Let a paused agent go on where it was. False when it was not paused.

    `below`: those that it starts later are queued again. A single agent goes on and leaves that as it was.
    """
    session = sessions.lock(session_id)
    if below:
        sessions.hold_below(session, False)
    if session.status == SessionStatus.PAUSED:
        sessions.set_control(session, Control.NONE, actor=actor)
        sessions.move(session, waits.resting_status(session), actor=actor, cause="resumed")
        return True
    if session.status == SessionStatus.RUNNING and session.control == Control.PAUSE:
        sessions.set_control(session, Control.NONE, actor=actor)
        return True
    return False


@transaction.atomic
def retry(session_id: UUID, *, actor: Actor, from_start: bool = False) -> AgentSession:
    """A new run of an agent that failed or was stopped; it takes up the work where it broke off.

    `from_start`: it begins again with its first input instead. What it had done to the world stays done: the same
    calls are answered by what came of them. A deadline that has passed is not its own any more: it has the one of the
    agent above. Raises InvalidTransition when it has not failed, or when the agent above has gone on without it.
    """
    session = sessions.lock(session_id)
    _check_ended_badly(session)
    waits.reopen(session)
    if from_start:
        _leave_states(session, actor)
    else:
        for wait in waits.reopen_closed(session):
            waits.answer_if_complete(session, wait.pk)
    _begin(session, "restart" if from_start else "retry", actor)
    return session


def _begin(session: AgentSession, command: str, actor: Actor) -> None:
    above = AgentSession.objects.filter(children=session, expires_at__gt=Now()).values("expires_at")[:1]
    AgentSession.objects.filter(pk=session.pk, expires_at__lte=Now()).update(expires_at=Subquery(above))
    sessions.start_run(session, command, actor=actor)
    letters.replayed(session, actor=actor)


def _check_ended_badly(session: AgentSession) -> None:
    if session.status not in ENDED_BADLY:
        state = "still at work" if session.status in ACTIVE else session.status
        raise InvalidTransition(f"Only an agent that failed or was stopped can be tried again; this one is {state}.")


def _leave_states(session: AgentSession, actor: Actor) -> None:
    """No state of a locked session is current any more, so that its graph begins; what it did is kept."""
    AgentState.objects.filter(session=session, is_current=True).update(is_current=False)
    approvals.withdraw(session, "It was tried again from the start.")
    made = session.executions.filter(superseded_at__isnull=True, compensates__isnull=True)
    certain = list(made.filter(status__in=[ExecutionStatus.COMPLETED, ExecutionStatus.RUNNING]))
    below = AgentSession.objects.working_for(session.pk)
    session.kept = sorted({*session.kept, *(row.kept_from_id or row.pk for row in certain), *ledger.made_by(below)})
    session.save(update_fields=["kept"])
    ledger.supersede(session, [row.pk for row in made if row not in certain], actor=actor)
    session.messages.filter(message_type=MessageType.HUMAN).update(read_at=None)
    communications.unread_all(session)


@transaction.atomic
def retry_below(session_id: UUID, *, actor: Actor) -> dict[UUID, bool]:
    """Try an agent again with all below it that ended without a result and are still awaited; who was, and who not.

    One transaction: how many a parent waits for and who of them runs must agree. Locks go from the leaves up, as
    endings' do. Raises InvalidTransition when the agent itself cannot be tried again.
    """
    found = (
        AgentSession.objects.subtree(session_id).order_by("-depth", "pk").select_for_update(no_key=True, of=("self",))
    )
    known = {session.pk: session for session in found}
    top = known[session_id]
    _check_ended_badly(top)
    waits.reopen(top)
    done: dict[UUID, bool] = {}
    opened = []
    for session in sorted(known.values(), key=lambda one: (len(one.path), one.position)):
        if session.status not in ENDED_BADLY:
            continue
        if session.pk != top.pk and not waits.is_awaited(session):
            done[session.pk] = False
            continue
        if session.pk != top.pk:
            waits.reopen(session)
        opened += [(session, wait) for wait in waits.reopen_closed(session)]
        _begin(session, "retry", actor)
        done[session.pk] = True
    for session, wait in opened:
        waits.answer_if_complete(session, wait.pk)
    return done


@transaction.atomic
def prioritise(session_id: UUID, priority: int, *, actor: Actor) -> bool:
    """Give an agent another place among those that wait for a worker. False when it has it, or has ended.

    Whom it starts later inherits it. Workers look at the rows, so it holds for an agent that is queued already.
    """
    session = sessions.lock(session_id)
    if session.status in FINAL or session.priority == priority:
        return False
    previous, session.priority = session.priority, priority
    session.save(update_fields=["priority"])
    store.record(SessionPrioritised(previous=previous, priority=priority), session, actor=actor)
    return True


@transaction.atomic
def tell(session_id: UUID, text: str, *, by: User, message_id: UUID | None = None) -> bool:
    """Give an agent a message, which it reads at its next step. False when it has ended, or has that message."""
    session = sessions.lock(session_id)
    if session.status in FINAL:
        return False
    return messages.say(
        session,
        message_id or new_id(),
        text,
        kind=MessageType.HUMAN,
        actor=person(by.pk),
        metadata={"by": by.get_username()},
    )


@transaction.atomic
def set_deadline(session_id: UUID, at: datetime | None, previous: datetime | None, *, actor: Actor) -> bool:
    """Give an agent a deadline in place of `previous`, the one above it had; False when its own is as good.

    One that it has of its own stays where it comes sooner. None takes the deadline away.
    """
    session = sessions.lock(session_id)
    is_own = session.expires_at is not None and session.expires_at != previous
    if session.status in FINAL or session.expires_at == at:
        return False
    if is_own and (at is None or (session.expires_at is not None and session.expires_at < at)):
        return False
    session.expires_at = at
    session.save(update_fields=["expires_at"])
    store.record(SessionDeadlineSet(expires_at=at.isoformat() if at else ""), session, actor=actor)
    return True
