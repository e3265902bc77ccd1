"""What may become what: statuses and their transitions, as data."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from agents.errors import InvalidTransition


class SessionStatus(StrEnum):
    """Where an agent stands."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING_CHILDREN = "waiting_children"
    WAITING_APPROVAL = "waiting_approval"
    WAITING_EVENT = "waiting_event"
    WAITING_TIMER = "waiting_timer"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


_S = SessionStatus
WAITING = frozenset({_S.WAITING_CHILDREN, _S.WAITING_APPROVAL, _S.WAITING_EVENT, _S.WAITING_TIMER})
FINAL = frozenset({_S.SUCCEEDED, _S.FAILED, _S.CANCELLED})
ACTIVE = frozenset(SessionStatus) - FINAL - {_S.IDLE}

_FROM_WAITING = WAITING | {_S.QUEUED, _S.PAUSED, _S.FAILED, _S.CANCELLED}  # for something else, too
SESSION_TRANSITIONS: Mapping[SessionStatus, frozenset[SessionStatus]] = {
    _S.IDLE: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.QUEUED: frozenset({_S.RUNNING, _S.PAUSED, _S.CANCELLED}),
    _S.RUNNING: WAITING | FINAL | {_S.QUEUED, _S.PAUSED},
    _S.WAITING_CHILDREN: _FROM_WAITING,
    _S.WAITING_APPROVAL: _FROM_WAITING,
    _S.WAITING_EVENT: _FROM_WAITING,
    _S.WAITING_TIMER: _FROM_WAITING,
    _S.PAUSED: WAITING | {_S.QUEUED, _S.CANCELLED},
    _S.SUCCEEDED: frozenset({_S.QUEUED}),
    _S.FAILED: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset({_S.QUEUED}),
}


class RunStatus(StrEnum):
    """One turn of a session."""

    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.ACTIVE: frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED}),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
}


class ApprovalStatus(StrEnum):
    """Where a request to a person stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


# within the seconds before the agent is told, or because its graph did not take the answer
_UNDONE = frozenset({ApprovalStatus.PENDING})
APPROVAL_TRANSITIONS: Mapping[ApprovalStatus, frozenset[ApprovalStatus]] = {
    ApprovalStatus.PENDING: frozenset(ApprovalStatus) - {ApprovalStatus.PENDING},
    ApprovalStatus.APPROVED: _UNDONE,
    ApprovalStatus.REJECTED: _UNDONE,
    ApprovalStatus.ANSWERED: _UNDONE,
    ApprovalStatus.WITHDRAWN: frozenset(),
}


class DecidedBy(StrEnum):
    """Who or what decided a request."""

    PERSON = "person"
    RULE = "rule"  # in the name of its owner
    POLICY = "policy"  # it runs or refuses what a graph asks for by itself
    DEADLINE = "deadline"  # nobody has, in time


class RuleVerdict(StrEnum):
    """What a rule may say to a request."""

    APPROVE = "approve"
    REJECT = "reject"


# Which status a verdict gives a request.
VERDICTS: Mapping[str, ApprovalStatus] = {
    "approve": ApprovalStatus.APPROVED,
    "again": ApprovalStatus.APPROVED,
    "done": ApprovalStatus.APPROVED,
    "reject": ApprovalStatus.REJECTED,
    "stop": ApprovalStatus.REJECTED,
    "respond": ApprovalStatus.ANSWERED,
}


class ExecutionStatus(StrEnum):
    """Where a tool call stands in the ledger."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"


EXECUTION_TRANSITIONS: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = {
    # completed at once: by the kept result of an equal call
    ExecutionStatus.PENDING: frozenset({ExecutionStatus.RUNNING, ExecutionStatus.REFUSED, ExecutionStatus.COMPLETED}),
    # running again: an idempotent tool, or a person's word, after the attempt that ran it died
    # pending again: the tool asks somebody by itself before it does anything
    ExecutionStatus.RUNNING: frozenset(
        {ExecutionStatus.RUNNING, ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.PENDING}
    ),
    ExecutionStatus.FAILED: frozenset({ExecutionStatus.RUNNING}),
    ExecutionStatus.COMPLETED: frozenset(),
    ExecutionStatus.REFUSED: frozenset(),
}


class RewindKind(StrEnum):
    """What a person does with a state of an agent."""

    EDIT = "edit"
    FORK = "fork"
    REPLAY = "replay"
    ROLLBACK = "rollback"


class RewindStatus(StrEnum):
    """How far a rewind is."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


REWIND_TRANSITIONS: Mapping[RewindStatus, frozenset[RewindStatus]] = {
    RewindStatus.OPEN: frozenset({RewindStatus.DONE, RewindStatus.FAILED}),
    RewindStatus.DONE: frozenset(),
    RewindStatus.FAILED: frozenset(),
}


class LetterKind(StrEnum):
    """What can become a dead letter."""

    SESSION = "session"
    TOOL = "tool"
    TASK = "task"


class LetterStatus(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


LETTER_TRANSITIONS: Mapping[LetterStatus, frozenset[LetterStatus]] = {
    LetterStatus.OPEN: frozenset({LetterStatus.REPLAYED, LetterStatus.DISCARDED}),
    LetterStatus.REPLAYED: frozenset(),
    LetterStatus.DISCARDED: frozenset(),
}


class ReuseKind(StrEnum):
    """Whose results are kept for equal work."""

    TOOL = "tool"
    MODEL = "model"


class Choice(StrEnum):
    """What becomes of a tool call that a rewind goes behind."""

    KEEP = "keep"  # its result answers the same call, which is not made again
    REPEAT = "repeat"  # the same call is made again
    UNDO = "undo"  # it is taken back first


CHOICES: Mapping[RewindKind, frozenset[Choice]] = {
    RewindKind.EDIT: frozenset({Choice.KEEP}),
    RewindKind.FORK: frozenset({Choice.KEEP, Choice.REPEAT}),  # what the original did is its own
    RewindKind.REPLAY: frozenset(Choice),
    RewindKind.ROLLBACK: frozenset({Choice.KEEP, Choice.UNDO}),
}


class Reversal(StrEnum):
    """What can be done about a tool call that has happened."""

    UNDOABLE = "undoable"  # its tool names a compensation
    REPEATABLE = "repeatable"  # its tool is idempotent: once more changes nothing
    NEITHER = "neither"


class WaitKind(StrEnum):
    """What a session can wait for."""

    CHILDREN = "children"
    APPROVAL = "approval"
    UNCERTAIN = "uncertain"
    FOREIGN = "foreign"
    TIMER = "timer"
    EVENT = "event"
    REPLY = "reply"
    BUDGET = "budget"


WAITING_STATUS: Mapping[WaitKind, SessionStatus] = {
    WaitKind.CHILDREN: _S.WAITING_CHILDREN,
    WaitKind.APPROVAL: _S.WAITING_APPROVAL,
    WaitKind.UNCERTAIN: _S.WAITING_APPROVAL,
    WaitKind.FOREIGN: _S.WAITING_APPROVAL,
    WaitKind.TIMER: _S.WAITING_TIMER,
    WaitKind.EVENT: _S.WAITING_EVENT,
    WaitKind.REPLY: _S.WAITING_EVENT,
    WaitKind.BUDGET: _S.WAITING_APPROVAL,
}


class Control(StrEnum):
    """What a person wants of a session; read at every checkpoint."""

    NONE = ""
    PAUSE = "pause"
    CANCEL = "cancel"


class Risk(StrEnum):
    """How much harm a tool can do."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Policy(StrEnum):
    """What happens when an agent calls a tool."""

    RUN = "run"
    ASK = "ask"
    REFUSE = "refuse"


class ChildrenNeeded(StrEnum):
    """How many of its children a delegating agent needs; a number of them is `some`."""

    ALL = "all"
    SOME = "some"
    ANY = "any"


StatusT = TypeVar("StatusT", bound=StrEnum)


def check_move(table: Mapping[StatusT, frozenset[StatusT]], current: StatusT, target: StatusT) -> None:
    """Raise InvalidTransition unless `table` lets `current` become `target`."""
    if target not in table[current]:
        raise InvalidTransition(f"{current} cannot become {target}.", current=current, target=target)
