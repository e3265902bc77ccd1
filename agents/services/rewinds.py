"""Rewinds: begun once, held against others, finished or failed, and told.

A rewind goes through three steps, each of which may be repeated after a crash: `begin` holds the session still,
`stop_below` ends the agents that work on what it leaves behind, and one last transaction of the caller's, between
`lock_open` and `close`, changes the state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.actor import person
from agents.errors import InvalidTransition, NotFound, RewindUnderWay, StaleVersion
from agents.events import store
from agents.events.types import SessionRewound, ToolCallsLeft
from agents.ids import derived_id
from agents.lifecycle import (
    ACTIVE,
    FINAL,
    REWIND_TRANSITIONS,
    Choice,
    RewindKind,
    RewindStatus,
    RunStatus,
    SessionStatus,
    check_move,
)
from agents.models import AgentRun, AgentSession, AgentState, Rewind, User
from agents.services import (
    approvals,
    audit,
    budgets,
    communications,
    control,
    ledger,
    messages,
    requests,
    sessions,
    waits,
)

DID = {
    RewindKind.EDIT: "edited its state",
    RewindKind.FORK: "forked it",
    RewindKind.REPLAY: "replayed it from an earlier state",
    RewindKind.ROLLBACK: "rolled it back",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a person wants. `rewind_id` is new for each form, and the same when it is sent twice.

    `seen_id` is the state that was current when they looked; `change` holds edited values as JSON.
    """

    rewind_id: UUID
    kind: RewindKind
    checkpoint_id: UUID
    seen_id: UUID
    chosen: Mapping[UUID, Choice] = field(default_factory=dict)
    change: str = ""


@transaction.atomic
def begin(session_id: UUID, request: Request, *, by: User) -> Rewind:
    """Open the rewind and hold the session still; an agent at work is paused. The known one on a second click.

    Raises InvalidTransition while it or somebody below it runs, or when nobody would wait for its result any more;
    RewindUnderWay while somebody else rewinds it or one above or below; StaleVersion when its state has moved.
    """
    session = sessions.lock(session_id)
    known = _known(session, request, by)
    if known is not None:
        return known
    sessions.check_unheld(session)
    _check_below(session)
    _check_seen(session, request.seen_id)
    _check_at_rest(session)
    if request.kind is RewindKind.REPLAY and session.status in FINAL:
        waits.check_awaited(session, session.parent)
    if session.status in ACTIVE and session.status != SessionStatus.PAUSED:
        sessions.move(session, SessionStatus.PAUSED, actor=person(by.pk), cause=request.kind)
    rewind = _create(session, request, by)
    _record(session, rewind)
    return rewind


def _known(session: AgentSession, request: Request, by: User) -> Rewind | None:
    known = Rewind.objects.filter(pk=request.rewind_id).first()
    if known is not None and (known.session_id, known.user_id, known.kind) != (session.pk, by.pk, request.kind):
        raise NotFound
    return known


def _create(session: AgentSession, request: Request, by: User) -> Rewind:
    return Rewind.objects.create(
        rewind_id=request.rewind_id,
        project_id=session.project_id,
        session=session,
        user=by,
        kind=request.kind,
        checkpoint_id=request.checkpoint_id,
        seen_id=request.seen_id,
        chosen={str(call): choice for call, choice in request.chosen.items()},
        change=request.change,
    )


def _check_at_rest(session: AgentSession) -> None:
    if session.status == SessionStatus.RUNNING:
        raise InvalidTransition(f"{session.name} is running: pause or stop it first.")
    if session.status == SessionStatus.IDLE:
        raise InvalidTransition(f"{session.name} has not begun.")


def _check_below(session: AgentSession) -> None:
    below = AgentSession.objects.working_for(session.pk)
    rewind = (
        Rewind.objects.filter(session__in=below, status=RewindStatus.OPEN).select_related("user", "session").first()
    )
    if rewind is not None:
        raise RewindUnderWay(f"{rewind.user.get_username()} rewinds {rewind.session.name}, below it, at the moment.")
    running = below.filter(status=SessionStatus.RUNNING).values_list("name", flat=True)
    if names := list(running[:3]):
        raise InvalidTransition(f"Agents below it are running ({', '.join(names)}): pause or stop them first.")


def _check_seen(session: AgentSession, seen_id: UUID) -> None:
    """Raise StaleVersion, with who and what, when the locked session's current state is not the one that was seen."""
    current = AgentState.objects.filter(session=session, checkpoint_ns="", is_current=True).first()
    if current is None:
        raise InvalidTransition(f"{session.name} has no state yet.")
    if current.checkpoint_id == seen_id:
        return
    rewind = session.rewinds.filter(new_checkpoint_id=current.checkpoint_id).select_related("user").first()
    if rewind is not None:
        who = rewind.user.get_username()
        raise StaleVersion(
            f"{who} {DID[RewindKind(rewind.kind)]} since you looked.", by=who, current=current.checkpoint_id
        )
    raise StaleVersion(f"{session.name} has moved on since you looked.", by="", current=current.checkpoint_id)


def stop_below(rewind: Rewind) -> None:
    """End the agents that work for a held session: from the leaves up, one transaction each.

    Raises InvalidTransition when one of them was taken up by a worker meanwhile: it stops at its next checkpoint.
    """
    below = AgentSession.objects.working_for(rewind.session_id)
    found = below.filter(status__in=ACTIVE).order_by("-depth", "position").values_list("pk", flat=True)
    for session_id in list(found):
        control.cancel(session_id, actor=person(rewind.user_id), reason=f"{rewind.user.get_username()} rewound above.")
    if below.filter(status=SessionStatus.RUNNING).exists():
        raise InvalidTransition("Agents below it are just stopping: try again in a moment.")


def lock_open(rewind_id: UUID) -> tuple[AgentSession, Rewind]:
    """The locked session and its rewind, which may be done by now. Raises StaleVersion, InvalidTransition."""
    session = sessions.lock(Rewind.objects.values_list("session_id", flat=True).get(pk=rewind_id))
    rewind = Rewind.objects.select_for_update(no_key=True, of=("self",)).select_related("user").get(pk=rewind_id)
    if rewind.status == RewindStatus.OPEN:
        _check_at_rest(session)
        _check_seen(session, rewind.seen_id)
    return session, rewind


def leave_behind(session: AgentSession, rewind: Rewind) -> None:
    """Part a locked session from what lies after a state: its questions, and the calls that were not kept."""
    actor = person(rewind.user_id)
    approvals.withdraw(session, f"{rewind.user.get_username()} {DID[RewindKind(rewind.kind)]}.")
    requests.withdraw(session, waits.supersede(session))
    chosen = choices_of(rewind)
    kept = {call for call, choice in chosen.items() if choice is Choice.KEEP}
    session.kept = sorted((set(session.kept) - set(chosen)) | kept)
    session.save(update_fields=["kept"])
    if kept:
        store.record(ToolCallsLeft(superseded=[], kept=sorted(kept)), session, actor=actor)
    after = session.executions.filter(
        created_at__gt=_saved_at(session, rewind.checkpoint_id), superseded_at__isnull=True, compensates__isnull=True
    )
    left = [row.pk for row in after if not ledger.is_kept(session, row)]
    ledger.supersede(session, left, actor=actor)
    messages.unread_since(session, _saved_at(session, rewind.checkpoint_id))
    communications.unread_from(session, rewind.checkpoint_id)


def choices_of(rewind: Rewind) -> dict[UUID, Choice]:
    """What the person chose for each tool call."""
    return {UUID(call): Choice(choice) for call, choice in rewind.chosen.items()}


def _saved_at(session: AgentSession, checkpoint_id: UUID) -> datetime:
    state = AgentState.objects.filter(session=session, checkpoint_ns="", checkpoint_id=checkpoint_id).first()
    if state is None:
        raise NotFound("There is no such state.")
    return state.created_at


def start_replay(session: AgentSession, rewind: Rewind) -> AgentRun:
    """A new run of a locked session, which the agent above waits for again. The rewind is done by now."""
    run = session.current_run
    if session.status in FINAL:
        waits.reopen(session)
    elif run is not None and run.status == RunStatus.ACTIVE:
        sessions.end_run(session, RunStatus.CANCELLED, error="Replayed from an earlier state.", code="replayed")
    return sessions.start_run(session, "replay", actor=person(rewind.user_id))


def end(rewind: Rewind, status: RewindStatus, *, error: str = "") -> None:
    """Let go of a locked session. Raises InvalidTransition when the rewind has ended before."""
    check_move(REWIND_TRANSITIONS, RewindStatus(rewind.status), status)
    rewind.status, rewind.error, rewind.finished_at = status, error, timezone.now()
    rewind.save(update_fields=["status", "error", "finished_at"])


def tell(
    session: AgentSession,
    rewind: Rewind,
    *,
    new_checkpoint_id: UUID,
    run: AgentRun | None = None,
    fork: AgentSession | None = None,
) -> None:
    """Record what an ended rewind of a locked session came to, and who did it."""
    rewind.new_checkpoint_id, rewind.run, rewind.fork = new_checkpoint_id, run, fork
    rewind.save(update_fields=["new_checkpoint_id", "run", "fork"])
    _record(session, rewind)
    chosen = list(choices_of(rewind).values())
    audit.record(
        rewind.user_id,
        f"session.{rewind.kind}",
        project_id=rewind.project_id,
        target=("session", session.pk),
        detail={
            "rewind": str(rewind.pk),
            "from": str(rewind.checkpoint_id),
            "to": str(new_checkpoint_id),
            "fork": str(fork.pk) if fork else "",
            **{choice: chosen.count(choice) for choice in Choice},
        },
    )


@transaction.atomic
def fail(rewind_id: UUID, error: str) -> None:
    """End an open rewind without a change of the state, and say why. Nothing if it has ended."""
    session = sessions.lock(Rewind.objects.values_list("session_id", flat=True).get(pk=rewind_id))
    rewind = Rewind.objects.get(pk=rewind_id)
    if rewind.status != RewindStatus.OPEN:
        return
    end(rewind, RewindStatus.FAILED, error=error)
    _record(session, rewind)
    audit.record(
        rewind.user_id,
        f"session.{rewind.kind}.failed",
        project_id=rewind.project_id,
        target=("session", session.pk),
        detail={"rewind": str(rewind.pk)},
    )


def _record(session: AgentSession, rewind: Rewind) -> None:
    store.record(
        SessionRewound(
            rewind_id=rewind.pk,
            kind=rewind.kind,
            status=rewind.status,
            checkpoint_id=rewind.checkpoint_id,
            new_checkpoint_id=rewind.new_checkpoint_id,
            run_id=rewind.run_id,
            fork_id=rewind.fork_id,
        ),
        session,
        actor=person(rewind.user_id),
    )


def fork(session_id: UUID, request: Request, *, by: User) -> tuple[AgentSession, Rewind]:
    """The locked session and an open rewind whose fork has no state yet; on a second click the one that is done.

    The caller holds a transaction, writes the fork's state, and calls `end` and `tell`. The session may run
    meanwhile, but RewindUnderWay is raised while it is rewound.
    """
    session = sessions.lock(session_id)
    known = _known(session, request, by)
    if known is not None:
        return session, known
    sessions.check_unheld(session)
    rewind = _create(session, request, by)
    kept = [call for call, choice in request.chosen.items() if choice is Choice.KEEP]
    rewind.fork = sessions.start_fork(
        session, request.checkpoint_id, fork_id=derived_id(rewind.pk, "fork"), user=by, kept=kept
    )
    budgets.inherit(rewind.fork, session, actor=person(by.pk))
    ledger.inherit(rewind.fork, session)
    communications.inherit_readings(rewind.fork, session, request.checkpoint_id)
    return session, rewind
