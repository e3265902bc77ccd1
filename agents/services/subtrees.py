"""One action for an agent and all below it: one transaction an agent, from the top down, and who was reached.

From the top down, for whom an agent has started is only certain once the agent itself is held: then it starts nobody
any more, or whom it starts begins held. No two locks are waited for at once, so endings, which go from a child to its
parent, cannot meet this in a deadlock. Done twice, it finds nothing to do the second time.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from agents.actor import Actor
from agents.errors import RewindUnderWay
from agents.ids import derived_id, new_id
from agents.lifecycle import FINAL, Control, SessionStatus
from agents.models import AgentSession, User
from agents.outcomes import Outcome
from agents.services import control, sessions

Act = Callable[[UUID], bool]


def cancel(session_id: UUID, *, actor: Actor, reason: str) -> list[Outcome]:
    """Stop an agent and all below it. No request, no open wait and nobody who works for it is left."""
    return _walk(session_id, lambda one: control.cancel(one, actor=actor, reason=reason))


def pause(session_id: UUID, *, actor: Actor, reason: str) -> list[Outcome]:
    """Let an agent and all below it rest, with those that they start later."""
    return _walk(session_id, lambda one: control.pause(one, actor=actor, reason=reason, below=True))


def resume(session_id: UUID, *, actor: Actor) -> list[Outcome]:
    """Let an agent and all below it go on."""
    return _walk(session_id, lambda one: control.resume(one, actor=actor, below=True))


def prioritise(session_id: UUID, priority: int, *, actor: Actor) -> list[Outcome]:
    """Give an agent and all below it another place among those that wait for a worker."""
    return _walk(session_id, lambda one: control.prioritise(one, priority, actor=actor))


def tell(session_id: UUID, text: str, *, by: User, telling_id: UUID | None = None) -> list[Outcome]:
    """Give an agent and all below it the same message. `telling_id` makes a second click find the first one's."""
    return _walk(session_id, _telling(text, by, telling_id))


def tell_one(session_id: UUID, text: str, *, by: User, telling_id: UUID | None = None) -> list[Outcome]:
    """The same for the agent alone."""
    return one(session_id, _telling(text, by, telling_id))


def _telling(text: str, by: User, telling_id: UUID | None) -> Act:
    telling = telling_id or new_id()
    return lambda found: control.tell(found, text, by=by, message_id=derived_id(telling, found))


def retry(session_id: UUID, *, actor: Actor) -> list[Outcome]:
    """Try an agent again, with all below it that ended without a result. Raises InvalidTransition."""
    with transaction.atomic():
        done = control.retry_below(session_id, actor=actor)
        named = AgentSession.objects.in_bulk(done)
    return [
        Outcome(pk, named[pk].name, is_done, why="" if is_done else "the agent above has gone on without it")
        for pk, is_done in done.items()
    ]


def set_deadline(session_id: UUID, at: datetime | None, *, actor: Actor) -> list[Outcome]:
    """Give an agent another deadline, and all below it who have the same or a later one. None takes it away."""
    session = AgentSession.objects.select_related("parent").get(pk=session_id)
    above = session.parent.expires_at if session.parent else None
    most = min((moment for moment in (at, above) if moment), default=None)
    before = session.expires_at
    return _walk(session_id, lambda one: control.set_deadline(one, most, before, actor=actor))


def one(session_id: UUID, act: Act) -> list[Outcome]:
    """The same for a single agent."""
    return [_reach(session_id, act)]


def _walk(session_id: UUID, act: Act) -> list[Outcome]:
    """Act on each agent once, parents first; who is below a parent is looked up after the parent was reached."""
    outcomes = []
    layer: Sequence[UUID] = [session_id]
    while layer:
        outcomes += [_reach(found, act) for found in layer]
        layer = list(
            AgentSession.objects.filter(parent__in=layer).order_by("path", "position").values_list("pk", flat=True)
        )
    return outcomes


@transaction.atomic
def _reach(session_id: UUID, act: Act) -> Outcome:
    before = sessions.lock(session_id)
    try:
        with transaction.atomic():
            is_done = act(session_id)
    except RewindUnderWay as error:
        return Outcome(session_id, before.name, is_done=False, why=str(error).rstrip("."))
    if is_done:
        return Outcome(session_id, before.name, is_done=True, is_later=before.status == SessionStatus.RUNNING)
    return Outcome(session_id, before.name, is_done=False, why=_why_not(before))


def _why_not(session: AgentSession) -> str:
    if session.status in FINAL:
        return "it had ended"
    if session.control == Control.CANCEL:
        return "it is being stopped"
    if session.status == SessionStatus.PAUSED or session.control == Control.PAUSE:
        return "it is paused already"
    return "there was nothing to do"


def undone(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those for whom it could not be done."""
    return [outcome for outcome in outcomes if not outcome.is_done]
