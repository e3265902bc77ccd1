"""Carries rewinds out, step by step: each may be repeated after a crash, and a failure is told."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from agents.actor import person
from agents.errors import DomainError, InvalidInput, InvalidTransition, StaleVersion
from agents.lifecycle import Choice, RewindKind, RewindStatus
from agents.models import AgentSession, Rewind, ToolExecution, User
from agents.services import rewinds
from orchestrator.runtime import states
from orchestrator.runtime.effects import effects_since, undo_asks
from orchestrator.runtime.states import Change
from orchestrator.runtime.undoing import undo_all


def check_choices(session_id: UUID, request: rewinds.Request) -> None:
    """Raise InvalidInput, with a message by its id, for each side effect that lacks a choice which it allows."""
    effects = {effect.call.pk: effect for effect in effects_since(session_id, request.checkpoint_id)}
    faults = {str(call): "This is no side effect behind that state." for call in request.chosen.keys() - effects.keys()}
    for call, effect in effects.items():
        if call not in request.chosen:
            faults[str(call)] = "Say what becomes of this one."
        elif request.chosen[call] not in effect.choices(request.kind):
            faults[str(call)] = "This cannot be chosen for it."
    if faults:
        raise InvalidInput("There are side effects without a choice that fits.", fields=faults)


def needs_approver(chosen: Mapping[UUID, Choice]) -> bool:
    """Does a policy want an approver for something that is to be undone?"""
    return any(undo_asks(call) for call in _to_undo(chosen))


def check_tasks(session: AgentSession, checkpoint_id: UUID) -> None:
    """Raise InvalidTransition when a replay from this state would have nothing to do."""
    if not states.has_tasks(session, checkpoint_id):
        raise InvalidTransition("Nothing is left to do in that state: choose an earlier one.")


def carry_out(rewind: Rewind) -> Rewind:
    """Do what an open rewind still needs; the rewind, done. May be called again after a crash, and by two at once.

    When it cannot be done, it has failed: the state is as it was, what was undone is in the ledger, and the error
    says so. Raises DomainError. Any other error leaves it open.
    """
    if rewind.status == RewindStatus.OPEN:
        try:
            rewinds.stop_below(rewind)
            undo_all(_to_undo(rewinds.choices_of(rewind)), actor=person(rewind.user_id))
            return _finish(rewind.pk)
        except DomainError as error:
            rewinds.fail(rewind.pk, str(error))
            raise
    return _told(rewind)


def _told(rewind: Rewind) -> Rewind:
    if rewind.status == RewindStatus.FAILED:
        raise InvalidTransition(rewind.error)
    return rewind


def _to_undo(chosen: Mapping[UUID, Choice]) -> list[ToolExecution]:
    """The last comes first."""
    wanted = [call for call, choice in chosen.items() if choice is Choice.UNDO]
    found = ToolExecution.objects.filter(pk__in=wanted).select_related("session")
    return list(found.order_by("-started_at", "-execution_id"))


@transaction.atomic
def _finish(rewind_id: UUID) -> Rewind:
    session, rewind = rewinds.lock_open(rewind_id)
    if rewind.status != RewindStatus.OPEN:
        return _told(rewind)
    _check_nothing_new(session, rewinds.choices_of(rewind), rewind.checkpoint_id)
    rewinds.leave_behind(session, rewind)
    rewinds.end(rewind, RewindStatus.DONE)
    if rewind.kind == RewindKind.EDIT:
        change = Change.of_text(rewind.change)
        rewinds.tell(session, rewind, new_checkpoint_id=states.edit(session, change, session.current_run, rewind.pk))
        return rewind
    run = rewinds.start_replay(session, rewind) if rewind.kind == RewindKind.REPLAY else None
    made = states.copy(session, rewind.checkpoint_id, session, run or session.current_run, rewind.pk)
    rewinds.tell(session, rewind, new_checkpoint_id=made, run=run)
    return rewind


def _check_nothing_new(session: AgentSession, chosen: Mapping[UUID, Choice], checkpoint_id: UUID) -> None:
    """Raise StaleVersion when an agent did something more after the person had chosen."""
    found = {effect.call.pk: effect for effect in effects_since(session.pk, checkpoint_id)}
    new = [effect for call, effect in found.items() if call not in chosen]
    if new:
        raise StaleVersion(f"“{new[0].title}” has happened since you looked: look again.")


@transaction.atomic
def fork(session_id: UUID, request: rewinds.Request, *, by: User) -> AgentSession:
    """A new session that goes on from a state of this one, changed if the request says so; the same on a second click.

    Raises NotFound, InvalidInput, InvalidTransition when nothing is left to do in that state.
    """
    session, rewind = rewinds.fork(session_id, request, by=by)
    made = rewind.fork
    if made is None:
        raise StaleVersion("That fork is gone.")
    if rewind.status != RewindStatus.OPEN:
        return made
    run = made.current_run
    new = states.copy(session, request.checkpoint_id, made, run, rewind.pk)
    if change := Change.of_text(request.change):
        new = states.edit(made, change, run, rewind.pk)
    if not states.has_tasks(made):
        raise InvalidTransition("Nothing is left to do in that state: change it, or choose an earlier one.")
    rewinds.end(rewind, RewindStatus.DONE)
    rewinds.tell(session, rewind, new_checkpoint_id=new, fork=made)
    return made
