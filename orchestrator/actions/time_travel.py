"""Editing, forking, replaying and rolling back the state of an agent."""

from collections.abc import Mapping
from uuid import UUID

from agents import access
from agents.errors import NotFound
from agents.events import causes
from agents.lifecycle import Choice, RewindKind
from agents.models import AgentSession, Rewind, User
from agents.roles import Role
from agents.services import rewinds
from agents.services.rewinds import Request
from orchestrator.runtime import rewinding, states
from orchestrator.runtime.effects import SideEffect, effects_since
from orchestrator.runtime.states import Change


def side_effects(user: User, session_id: UUID, checkpoint_id: UUID) -> list[SideEffect]:
    """What the agent and those that work for it did to the world after a state. Raises NotFound."""
    session = access.session_for(user, session_id)
    return effects_since(session.pk, checkpoint_id)


def check_edit(user: User, session_id: UUID, checkpoint_id: UUID, change: Change) -> None:
    """Would the agent's graph take this change? Raises NotFound or Forbidden, InvalidInput with a message a field."""
    session = access.session_for(user, session_id, role=Role.OPERATOR)
    states.check(session, checkpoint_id, change)


@causes.act()
def edit(user: User, session_id: UUID, change: Change, *, rewind_id: UUID, seen_id: UUID) -> Rewind:
    """Change the current state of an agent that nobody runs; one at work is paused, and its questions fall.

    `rewind_id` is new for each form, `seen_id` the state that was current when it was made; so for all below.
    Raises NotFound or Forbidden, InvalidInput with a message for each bad field, StaleVersion when the state has
    moved since, RewindUnderWay, InvalidTransition while it or somebody below it runs.
    """
    session = access.session_for(user, session_id, role=Role.OPERATOR)
    states.check(session, seen_id, change)
    kept = {effect.call.pk: Choice.KEEP for effect in effects_since(session.pk, seen_id)}
    request = Request(rewind_id, RewindKind.EDIT, seen_id, seen_id, kept, change.as_text())
    return rewinding.carry_out(rewinds.begin(session.pk, request, by=user))


@causes.act()
def fork(
    user: User,
    session_id: UUID,
    checkpoint_id: UUID,
    *,
    rewind_id: UUID,
    chosen: Mapping[UUID, Choice],
    change: Change | None = None,
) -> AgentSession:
    """A new agent beside this one that goes on from a state of it by itself; this one is not touched.

    `chosen` says for each side effect behind the state whether its result stands for the same call of the fork
    (keep) or the fork makes it itself (repeat). Raises NotFound or Forbidden, InvalidInput, InvalidTransition.
    """
    session = access.session_for(user, session_id, role=Role.OPERATOR)
    changed = change.as_text() if change else ""
    request = Request(rewind_id, RewindKind.FORK, checkpoint_id, checkpoint_id, chosen, changed)
    if not _is_known(rewind_id):
        rewinding.check_choices(session.pk, request)
    return rewinding.fork(session.pk, request, by=user)


@causes.act()
def replay(
    user: User, session_id: UUID, checkpoint_id: UUID, *, rewind_id: UUID, seen_id: UUID, chosen: Mapping[UUID, Choice]
) -> Rewind:
    """Let the agent run again from a state of it, in a new run; `chosen` says what becomes of each side effect.

    Raises as `edit` does, UndoFailed when a side effect could not be undone.
    """
    return _rewind(user, session_id, Request(rewind_id, RewindKind.REPLAY, checkpoint_id, seen_id, chosen))


@causes.act()
def roll_back(
    user: User, session_id: UUID, checkpoint_id: UUID, *, rewind_id: UUID, seen_id: UUID, chosen: Mapping[UUID, Choice]
) -> Rewind:
    """Make a state of the agent its current one again; nothing runs. Raises as `replay` does."""
    return _rewind(user, session_id, Request(rewind_id, RewindKind.ROLLBACK, checkpoint_id, seen_id, chosen))


@causes.act()
def go_on(user: User, rewind_id: UUID) -> Rewind:
    """Finish a rewind whose process died. Anybody may who could have begun it. Raises as it would have."""
    rewind = _rewind_for(user, rewind_id)
    return rewinding.carry_out(rewind)


@causes.act()
def give_up(user: User, rewind_id: UUID) -> None:
    """End a rewind whose process died, without a change of the state. What it has undone stays undone."""
    rewind = _rewind_for(user, rewind_id)
    rewinds.fail(rewind.pk, f"Given up by {user.get_username()}.")


def _rewind(user: User, session_id: UUID, request: Request) -> Rewind:
    session = access.session_for(user, session_id, role=Role.OPERATOR)
    if not _is_known(request.rewind_id):
        if request.kind is RewindKind.REPLAY:
            rewinding.check_tasks(session, request.checkpoint_id)
        rewinding.check_choices(session.pk, request)
    _check_undoing(user, session_id, request.chosen)
    return rewinding.carry_out(rewinds.begin(session.pk, request, by=user))


def _is_known(rewind_id: UUID) -> bool:
    """Was this form sent before? Then its choices were checked, and what it undid is no side effect any more."""
    return Rewind.objects.filter(pk=rewind_id).exists()


def _rewind_for(user: User, rewind_id: UUID) -> Rewind:
    rewind = Rewind.objects.select_related("user").filter(pk=rewind_id).first()
    if rewind is None:
        raise NotFound
    access.session_for(user, rewind.session_id, role=Role.OPERATOR)
    _check_undoing(user, rewind.session_id, rewinds.choices_of(rewind))
    return rewind


def _check_undoing(user: User, session_id: UUID, chosen: Mapping[UUID, Choice]) -> None:
    if rewinding.needs_approver(chosen):
        access.session_for(user, session_id, role=Role.APPROVER)
