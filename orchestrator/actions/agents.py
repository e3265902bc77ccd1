"""What people ask of agents: pause, go on, stop, try again, put first, tell; of one, or of it and all below it."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from agents import access
from agents.actor import Actor, person
from agents.errors import InvalidInput
from agents.events import causes
from agents.models import AgentSession, User
from agents.outcomes import Outcome
from agents.roles import Role
from agents.services import audit, control, deadlines, subtrees

MOST_CHARACTERS = 4000
PRIORITIES = range(-9, 10)
MOST_MINUTES = 525_600


@causes.act()
def cancel(user: User, session_id: UUID, *, reason: str = "") -> list[Outcome]:
    """Stop an agent and all below it, for they would work for nobody; what came of it for each."""
    told = reason.strip() or f"Stopped by {user.get_username()}."
    return _each(user, session_id, "cancel", lambda actor: subtrees.cancel(session_id, actor=actor, reason=told))


@causes.act()
def pause(user: User, session_id: UUID, *, reason: str = "", below: bool = True) -> list[Outcome]:
    """Let an agent rest, with all below it and all that they start later, or alone; what came of it for each."""
    told = reason.strip() or f"Paused by {user.get_username()}."

    def act(actor: Actor) -> list[Outcome]:
        if below:
            return subtrees.pause(session_id, actor=actor, reason=told)
        return subtrees.one(session_id, lambda one: control.pause(one, actor=actor, reason=told))

    return _each(user, session_id, "pause", act)


@causes.act()
def resume(user: User, session_id: UUID, *, below: bool = True) -> list[Outcome]:
    """Let an agent go on, with all below it or alone; what came of it for each."""

    def act(actor: Actor) -> list[Outcome]:
        if below:
            return subtrees.resume(session_id, actor=actor)
        return subtrees.one(session_id, lambda one: control.resume(one, actor=actor))

    return _each(user, session_id, "resume", act)


@causes.act()
def retry(user: User, session_id: UUID, *, below: bool = False, from_start: bool = False) -> list[Outcome]:
    """Try an agent again that failed or was stopped, from its last checkpoint or from the start.

    `below`: with all below it that ended without a result. From the start, it starts all below it anew by itself.
    Raises InvalidTransition.
    """

    def act(actor: Actor) -> list[Outcome]:
        if below and not from_start:
            return subtrees.retry(session_id, actor=actor)
        retried = control.retry(session_id, actor=actor, from_start=from_start)
        return [Outcome(retried.pk, retried.name, is_done=True)]

    return _each(user, session_id, "retry", act)


@causes.act()
def prioritise(user: User, session_id: UUID, *, priority: int, below: bool = True) -> list[Outcome]:
    """Put an agent before or behind others that wait for a worker; higher comes first. Raises InvalidInput."""
    if priority not in PRIORITIES:
        raise InvalidInput(f"A priority is a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}.")

    def act(actor: Actor) -> list[Outcome]:
        if below:
            return subtrees.prioritise(session_id, priority, actor=actor)
        return subtrees.one(session_id, lambda one: control.prioritise(one, priority, actor=actor))

    return _each(user, session_id, "prioritise", act)


@causes.act()
def tell(
    user: User, session_id: UUID, *, text: str, below: bool = False, telling_id: UUID | None = None
) -> list[Outcome]:
    """Give an agent a message, which it reads at its next step; `telling_id` is new for each form.

    Raises InvalidInput.
    """
    said = text.strip()
    if not said or len(said) > MOST_CHARACTERS:
        raise InvalidInput(f"A message has 1 to {MOST_CHARACTERS:,} characters.")

    def act(actor: Actor) -> list[Outcome]:
        if below:
            return subtrees.tell(session_id, said, by=user, telling_id=telling_id)
        return subtrees.tell_one(session_id, said, by=user, telling_id=telling_id)

    return _each(user, session_id, "tell", act)


@causes.act()
def set_deadline(user: User, session_id: UUID, *, minutes: float | None) -> list[Outcome]:
    """Give an agent and all below it until so many minutes from now; None takes the deadline away.

    Nobody gets longer than the one above has. Raises InvalidInput.
    """
    if minutes is not None and not 0 < minutes <= MOST_MINUTES:
        raise InvalidInput(f"A deadline lies within {MOST_MINUTES:,} minutes.")

    def act(actor: Actor) -> list[Outcome]:
        at = None if minutes is None else deadlines.moment(minutes * 60)
        return subtrees.set_deadline(session_id, at, actor=actor)

    return _each(user, session_id, "deadline", act)


def _each(user: User, session_id: UUID, verb: str, act: Callable[[Actor], list[Outcome]]) -> list[Outcome]:
    session = access.session_for(user, session_id, role=Role.OPERATOR)
    outcomes = act(person(user.pk))
    _audit(user, session, verb, outcomes)
    return outcomes


@transaction.atomic
def _audit(user: User, session: AgentSession, verb: str, outcomes: list[Outcome]) -> None:
    left = subtrees.undone(outcomes)
    audit.record(
        user.pk,
        f"session.{verb}",
        project_id=session.project_id,
        target=("session", session.pk),
        detail={
            "agents": len(outcomes) - len(left),
            "done": [str(outcome.session_id) for outcome in outcomes if outcome.is_done],
            "not_done": {str(outcome.session_id): outcome.why for outcome in left},
        },
    )
