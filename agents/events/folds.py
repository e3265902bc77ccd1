"""What events add up to: the state of an aggregate, folded from its events by pure functions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.errors import UnknownEvent
from agents.events import types
from agents.events.reading import Stored
from agents.events.types import Event
from agents.lifecycle import FINAL, ApprovalStatus, DecidedBy, RunStatus, SessionStatus
from agents.words import CommunicationType


@dataclass(frozen=True, slots=True)
class RunState:
    """One turn of a session. The first run's command stands in no event."""

    number: int
    status: str = RunStatus.ACTIVE
    command: str | None = None


@dataclass(frozen=True, slots=True)
class CallState:
    """One tool call. `superseded` is true where an event says so."""

    tool_name: str
    status: str
    attempt: int
    digest: str
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class RewindState:
    """One rewind of a session."""

    kind: str
    status: str
    checkpoint_id: UUID
    new_checkpoint_id: UUID | None
    run_id: UUID | None
    fork_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session. `imported`: what happened before ran elsewhere, under other ids."""

    mission_id: UUID
    status: str
    level: str
    agent_type: str
    moved_at: datetime
    imported: bool = False
    priority: int = 0
    parent_id: UUID | None = None
    forked_from: UUID | None = None
    stands_for: UUID | None = None
    run_id: UUID | None = None
    attempt: int = 0
    control: str = ""
    runs: Mapping[UUID, RunState] = field(default_factory=dict)
    calls: Mapping[UUID, CallState] = field(default_factory=dict)
    rewinds: Mapping[UUID, RewindState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApprovalState:
    """A request to people. `decided_by` is the actor as the event has it; `steps_done`: of what its terms plan."""

    session_id: UUID
    tool_name: str
    risk: str
    form: str = ""
    place: int = 0
    policy_version: int | None = None
    status: str = "pending"
    verdict: str = ""
    edited: bool = False
    digest: str = ""
    how: str = ""
    rule_id: UUID | None = None
    decided_by: str = ""
    decided_at: datetime | None = None
    assigned_role: str = "approver"
    assigned_to: UUID | None = None
    steps_done: int = 0


@dataclass(frozen=True, slots=True)
class MemoryState:
    """A memory. `is_there`: it was not forgotten since."""

    session_id: UUID | None
    memory_type: str
    digest: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class ToldState:
    """One thing that an agent told another, or a group. `closed_at`: a request or task is not open since then.

    `coordination_id` and `priority` are None, and so is the `timeout` of a request, where the event is too old to say.
    """

    sender_id: UUID
    receiver_id: UUID | None
    kind: str
    digest: str
    is_request: bool
    answers: UUID | None
    coordination_id: UUID | None
    priority: int | None
    timeout: int | None
    outcome: str = ""
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConversationState:
    """What was told in a conversation, by id."""

    told: Mapping[UUID, ToldState] = field(default_factory=dict)


State = SessionState | ApprovalState | MemoryState | ConversationState
Apply = Callable[[Any, Any, Stored], State]


def _created(state: None, event: types.SessionCreated, stored: Stored) -> SessionState:
    has_run = event.status != SessionStatus.IDLE  # a thread that nothing of ours runs
    return SessionState(
        mission_id=stored.mission_id,
        status=event.status,
        level=event.level,
        agent_type=event.agent_type,
        moved_at=stored.at,
        priority=event.priority,
        parent_id=event.parent_id,
        forked_from=event.forked_from,
        stands_for=event.stands_for,
        run_id=event.run_id if has_run else None,
        runs={event.run_id: RunState(1)} if has_run else {},
    )


def _moved(state: SessionState, event: types.SessionMoved, stored: Stored) -> SessionState:
    has_ended = event.status in FINAL
    runs = state.runs
    if has_ended and event.run_id is not None and event.run_id in runs:
        runs = {**runs, event.run_id: replace(runs[event.run_id], status=event.status)}
    return replace(
        state,
        status=event.status,
        attempt=event.attempt,
        run_id=event.run_id,
        moved_at=stored.at,
        control="" if has_ended else state.control,
        runs=runs,
    )


def _run_started(state: SessionState, event: types.SessionRunStarted, stored: Stored) -> SessionState:
    runs = dict(state.runs)
    if state.run_id in runs and runs[state.run_id].status == RunStatus.ACTIVE:
        runs[state.run_id] = replace(runs[state.run_id], status=RunStatus.CANCELLED)
    runs[event.run_id] = RunState(event.number, command=event.command)
    return replace(state, run_id=event.run_id, control="", runs=runs)


def _controlled(state: SessionState, event: types.SessionControlled, stored: Stored) -> SessionState:
    return replace(state, control=event.control)


def _prioritised(state: SessionState, event: types.SessionPrioritised, stored: Stored) -> SessionState:
    return replace(state, priority=event.priority)


def _rewound(state: SessionState, event: types.SessionRewound, stored: Stored) -> SessionState:
    rewind = RewindState(
        event.kind,
        event.status,
        event.checkpoint_id,
        event.new_checkpoint_id,
        event.run_id,
        event.fork_id,
        stored.at,
    )
    return replace(state, rewinds={**state.rewinds, event.rewind_id: rewind})


def _imported(state: SessionState | None, event: types.SessionImported, stored: Stored) -> SessionState:
    return SessionState(stored.mission_id, event.status, event.level, event.agent_type, stored.at, imported=True)


def _tool_moved(state: SessionState, event: types.ToolMoved, stored: Stored) -> SessionState:
    before = state.calls.get(event.execution_id)
    call = CallState(event.tool_name, event.status, event.attempt, event.digest)
    if before is not None:  # the end of an earlier attempt, where a later one has begun, does not take that back
        call = replace(call, attempt=max(call.attempt, before.attempt), superseded=before.superseded)
    return replace(state, calls={**state.calls, event.execution_id: call})


def _calls_left(state: SessionState, event: types.ToolCallsLeft, stored: Stored) -> SessionState:
    left = {pk: replace(state.calls[pk], superseded=True) for pk in event.superseded if pk in state.calls}
    return replace(state, calls={**state.calls, **left})


def _requested(state: None, event: types.ApprovalRequested, stored: Stored) -> ApprovalState:
    return ApprovalState(
        event.session_id,
        event.tool_name,
        event.risk,
        event.form,
        event.place,
        event.policy_version,
        assigned_role=event.role,
        assigned_to=event.assigned_to,
    )


def _decided(state: ApprovalState, event: types.ApprovalDecided, stored: Stored) -> ApprovalState:
    return replace(
        state,
        status=event.status,
        verdict=event.verdict,
        edited=event.edited,
        digest=event.digest,
        how="" if event.status == ApprovalStatus.WITHDRAWN else event.how,
        rule_id=event.rule_id,
        decided_by=stored.actor,
        decided_at=stored.at,
        steps_done=state.steps_done + (event.how == DecidedBy.DEADLINE),  # the last of what its terms plan
    )


def _undone(state: ApprovalState, event: types.ApprovalUndone, stored: Stored) -> ApprovalState:
    return replace(
        state,
        status=ApprovalStatus.PENDING,
        verdict="",
        edited=False,
        digest="",
        how="",
        rule_id=None,
        decided_by="",
        decided_at=None,
    )


def _assigned(state: ApprovalState, event: types.ApprovalAssigned, stored: Stored) -> ApprovalState:
    return replace(state, assigned_role=event.role, assigned_to=event.user_id, steps_done=_done(state, event.step))


def _reminded(state: ApprovalState, event: types.ApprovalReminded, stored: Stored) -> ApprovalState:
    return replace(state, steps_done=_done(state, event.step))


def _done(state: ApprovalState, step: int | None) -> int:
    return state.steps_done if step is None else max(state.steps_done, step + 1)


def _memory_changed(state: MemoryState | None, event: types.MemoryChanged, stored: Stored) -> MemoryState:
    is_there = event.change in ("remembered", "changed")
    return MemoryState(event.session_id, event.memory_type, event.digest, is_there)


def _answered(told: ToldState, at: datetime) -> ToldState:
    """A task is closed by its first result, a request by an event of its own."""
    is_task = told.kind == CommunicationType.TASK_ASSIGNMENT
    return replace(told, closed_at=told.closed_at or at) if is_task else told


def _told(state: ConversationState | None, event: types.CommunicationSent, stored: Stored) -> ConversationState:
    known = dict(state.told) if state else {}
    if event.answers is not None and event.answers in known:
        known[event.answers] = _answered(known[event.answers], stored.at)
    known[event.communication_id] = ToldState(
        event.session_id,
        event.receiver_id,
        event.kind,
        event.digest,
        event.is_request,
        event.answers,
        event.coordination_id,
        event.priority,
        event.timeout,
    )
    return ConversationState(known)


def _closed(state: ConversationState, event: types.CommunicationClosed, stored: Stored) -> ConversationState:
    request: Any = state.told.get(event.communication_id)  # what was never told cannot be closed
    return ConversationState(
        {**state.told, event.communication_id: replace(request, outcome=event.outcome, closed_at=stored.at)}
    )


APPLY: Mapping[type[Event], Apply] = {
    types.SessionCreated: _created,
    types.SessionMoved: _moved,
    types.SessionRunStarted: _run_started,
    types.SessionControlled: _controlled,
    types.SessionPrioritised: _prioritised,
    types.SessionRewound: _rewound,
    types.SessionImported: _imported,
    types.ToolMoved: _tool_moved,
    types.ToolCallsLeft: _calls_left,
    types.ApprovalRequested: _requested,
    types.ApprovalDecided: _decided,
    types.ApprovalUndone: _undone,
    types.ApprovalAssigned: _assigned,
    types.ApprovalReminded: _reminded,
    types.MemoryChanged: _memory_changed,
    types.CommunicationSent: _told,
    types.CommunicationClosed: _closed,
}
"""What each kind of event does to the state of its aggregate."""

WITHOUT_EFFECT: frozenset[type[Event]] = frozenset(
    {
        types.SessionSaid,
        types.SessionCheckpointed,
        types.SessionCheckpointNamed,
        types.SessionPruned,
        types.SessionStateDamaged,
        types.SessionDeadlineSet,
        types.BudgetSet,
        types.BudgetWarned,
        types.SignalSent,
        types.SignalTaken,
        types.ModelCalled,
        types.ApprovalVoted,
        types.ApprovalSeen,
        types.ApprovalDispatched,
    }
)
"""Kinds of events that change nothing of what is folded here."""


def apply(state: State | None, stored: Stored) -> State | None:
    """The state after an event. Raises UnknownEvent for one that nothing is known of, or that comes out of turn."""
    kind = type(stored.event)
    if kind in WITHOUT_EFFECT:
        return state
    step = APPLY.get(kind)
    if step is None:
        raise UnknownEvent(f"Nothing says what {kind.event_type} changes.")
    try:
        return step(state, stored.event, stored)
    except (TypeError, AttributeError) as error:
        raise UnknownEvent(f"{kind.event_type} cannot come here.") from error


def fold(events: Iterable[Stored], state: State | None = None) -> State | None:
    """The state that events add up to, from `state` on."""
    for stored in events:
        state = apply(state, stored)
    return state
