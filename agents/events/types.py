"""The kinds of events. They carry ids, statuses, names and digests; what anybody wrote stays in the rows."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

KINDS: dict[str, type["Event"]] = {}
"""All kinds of events by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events: `event_type` names the kind, `aggregate_type` what it happened to.

    `schema` is the version of the kind's fields. Whoever changes them raises it, and registers in `upcasting` how
    rows of the version before are read; a new field that has a default needs neither.
    """

    event_type: ClassVar[str]
    aggregate_type: ClassVar[str] = "session"
    schema: ClassVar[int] = 1

    def __init_subclass__(cls) -> None:
        """Make the kind known. Raises TypeError when another has its name."""
        known = KINDS.get(cls.event_type, cls)
        if (known.__module__, known.__name__) != (cls.__module__, cls.__name__):
            raise TypeError(f"{known.__name__} and {cls.__name__} are both called {cls.event_type}.")
        KINDS[cls.event_type] = cls  # a dataclass with slots is made twice: the second is the one in use


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated(Event):
    """An agent was started."""

    event_type = "session.created"
    status: str
    level: str
    agent_type: str
    priority: int
    parent_id: UUID | None
    run_id: UUID
    forked_from: UUID | None = None
    stands_for: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMoved(Event):
    """An agent's status changed."""

    event_type = "session.moved"
    previous: str
    status: str
    level: str
    attempt: int
    run_id: UUID | None
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRunStarted(Event):
    """A new turn of a session began."""

    event_type = "session.run_started"
    run_id: UUID
    number: int
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSaid(Event):
    """An agent said something."""

    event_type = "session.said"
    message_id: UUID
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionControlled(Event):
    """A person asked an agent to pause, go on or stop."""

    event_type = "session.controlled"
    control: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPrioritised(Event):
    """A person gave an agent another place among those that wait for a worker."""

    event_type = "session.prioritised"
    previous: int
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDeadlineSet(Event):
    """An agent was given a deadline, an ISO time, or its deadline was taken away: empty."""

    event_type = "session.deadline_set"
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSet(Event):
    """An agent was given a budget for itself and all below it; limits by name, decimals as text."""

    event_type = "budget.set"
    limits: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWarned(Event):
    """Four fifths of these limits of an agent's budget are spent."""

    event_type = "budget.warned"
    limits: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSent(Event):
    """A signal was sent to a mission."""

    event_type = "signal.sent"
    aggregate_type = "signal"
    session_id: UUID
    name: str
    everyone: bool
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTaken(Event):
    """An agent got the signal that it waited for."""

    event_type = "signal.taken"
    signal_id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunicationSent(Event):
    """An agent told something to another, or to a group: then there is no receiver.

    A conversation is one aggregate: a request with what it was passed on as, and its reply, which `answers` it; a
    task with its results. `timeout` is in microseconds. The first events of this kind had no group (`coordination_id`),
    priority and timeout.
    """

    event_type = "communication.sent"
    aggregate_type = "communication"
    communication_id: UUID
    session_id: UUID
    receiver_id: UUID | None
    kind: str
    digest: str
    is_request: bool = False
    answers: UUID | None = None
    coordination_id: UUID | None = None
    priority: int | None = None
    timeout: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunicationClosed(Event):
    """A request is not open any more."""

    event_type = "communication.closed"
    aggregate_type = "communication"
    communication_id: UUID
    session_id: UUID
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCheckpointed(Event):
    """A state of an agent was saved."""

    event_type = "session.checkpointed"
    checkpoint_id: UUID
    step: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRewound(Event):
    """A person edited a state of an agent, forked, replayed or rolled back; `status` says how far that is."""

    event_type = "session.rewound"
    rewind_id: UUID
    kind: str
    status: str
    checkpoint_id: UUID
    new_checkpoint_id: UUID | None
    run_id: UUID | None
    fork_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallsLeft(Event):
    """What a rewind went behind: calls that may be made again, and calls whose results it kept."""

    event_type = "tool.calls_left"
    superseded: list[UUID]
    kept: list[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCheckpointNamed(Event):
    """A person named a state of an agent, or took its name away: then `digest` is empty."""

    event_type = "session.checkpoint_named"
    checkpoint_id: UUID
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPruned(Event):
    """States of an agent were deleted, by the rule of its type."""

    event_type = "session.pruned"
    states: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStateDamaged(Event):
    """A state of an agent was found to be not what was saved; `gave_way_to` is current in its place, if it was that."""

    event_type = "session.state_damaged"
    checkpoint_id: UUID
    checkpoint_ns: str
    reason: str
    gave_way_to: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionImported(Event):
    """A session that ran elsewhere was read from a file. Its events there stand before this one."""

    event_type = "session.imported"
    status: str
    level: str
    agent_type: str
    origin_id: UUID
    checkpoints: int
    events: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolMoved(Event):
    """A tool call's status changed."""

    event_type = "tool.moved"
    execution_id: UUID
    tool_name: str
    status: str
    attempt: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCalled(Event):
    """A chat model was called."""

    event_type = "model.called"
    call_id: UUID
    model: str
    input_tokens: int
    output_tokens: int
    cost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(Event):
    """An agent asked people: who has `role`, or one of them. `policy_version`: of the policy whose terms hold."""

    event_type = "approval.requested"
    aggregate_type = "approval"
    session_id: UUID
    tool_name: str
    risk: str
    digest: str
    form: str = ""
    place: int = 0
    policy_version: int | None = None
    role: str = "approver"
    assigned_to: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalVoted(Event):
    """A person said something that does not decide a request alone, or took it back."""

    event_type = "approval.voted"
    aggregate_type = "approval"
    session_id: UUID
    vote_id: UUID
    verdict: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecided(Event):
    """A request was decided or withdrawn. `how`: by a person, the actor; by a rule; by its deadline.

    `digest` is that of what is in effect; `votes` are those that were counted.
    """

    event_type = "approval.decided"
    aggregate_type = "approval"
    session_id: UUID
    status: str
    verdict: str
    edited: bool
    digest: str
    how: str = "person"
    rule_id: UUID | None = None
    votes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalUndone(Event):
    """A person took a decision back before the agent was told, or the agent's graph did not take it."""

    event_type = "approval.undone"
    aggregate_type = "approval"
    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDispatched(Event):
    """A decision that could be taken back went to the agent."""

    event_type = "approval.dispatched"
    aggregate_type = "approval"
    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSeen(Event):
    """A person looked at a request for the first time."""

    event_type = "approval.seen"
    aggregate_type = "approval"
    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAssigned(Event):
    """A request is for a role, and perhaps for one person. `step`: of its escalation; None: a person said so."""

    event_type = "approval.assigned"
    aggregate_type = "approval"
    session_id: UUID
    role: str
    user_id: UUID | None
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalReminded(Event):
    """Who decides a request was reminded of it, as its terms plan."""

    event_type = "approval.reminded"
    aggregate_type = "approval"
    session_id: UUID
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryChanged(Event):
    """A memory was made, changed or forgotten."""

    event_type = "memory.changed"
    aggregate_type = "memory"
    session_id: UUID | None
    change: str
    memory_type: str
    digest: str
