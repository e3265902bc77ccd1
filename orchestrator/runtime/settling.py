"""What becomes of a session when its graph has stopped: one transaction under the session's lock."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from langgraph.types import Interrupt, StateSnapshot
from pydantic import ValidationError

from agents.actor import agent
from agents.errors import DomainError, Resting, ToolGaveUp, words_of
from agents.events.digests import digest
from agents.lifecycle import ChildrenNeeded, Control, ExecutionStatus, SessionStatus, WaitKind
from agents.models import AgentSession, ToolExecution
from agents.services import approvals, budgets, endings, letters, refusals, requests, sessions, signals, timers, waits
from agents.services.communications import Message
from agents.services.endings import Ending
from agents.services.letters import Reason
from agents.services.sessions import Start
from agents.words import CommunicationType
from orchestrator.runtime.agent_types import agent_type
from orchestrator.runtime.foreign import ask_people
from orchestrator.runtime.guard import request_for
from orchestrator.runtime.leases import Lease

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a graph broke off. `message` is for people, `code` names the kind.

    `letter`: why nobody but a person can set it right; None where it went by the rules, or is kept already.
    """

    message: str
    code: str
    letter: Reason | None = None

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """The failure that an exception means."""
        if isinstance(error, DomainError):
            is_new = error.is_breakdown and not isinstance(error, ToolGaveUp)  # the guard has kept that one
            return cls(words_of(error), error.code, Reason.of(error) if is_new else None)
        said = f": {words_of(error)}" if str(error) else ""
        return cls(f"{type(error).__name__}{said}", "error", Reason.of(error))


@dataclass(frozen=True, slots=True)
class Rest:
    """A graph that broke off in `state` to go on later, and why and until when."""

    state: StateSnapshot
    why: Resting


@dataclass(frozen=True, slots=True)
class Untaken:
    """A graph that broke off in `state` because an answer that it was given is not what its own code takes.

    `given` are the interrupts that were answered, `why` says in words what is wrong.
    """

    state: StateSnapshot
    given: frozenset[str]
    why: str


def faults_of(error: ValidationError) -> str:
    """What is wrong with an answer, in words."""
    faults = [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in error.errors()]
    return "; ".join(f"{where}: {what}" if where else what for where, what in faults)


@transaction.atomic
def settle(lease: Lease, stopped: StateSnapshot | Failure | Rest | Untaken) -> SessionStatus | None:
    """Finish, park, rest, pause or queue the session again; its new status, None when another attempt owns it."""
    session = sessions.lock_attempt(lease.holding.session_id, lease.holding.attempt)
    if session is None:
        return None
    if isinstance(stopped, Failure):
        endings.finish(session, Ending(SessionStatus.FAILED, error=stopped.message, code=stopped.code))
        if stopped.letter:
            letters.keep_session(session, stopped.letter)
    elif session.control == Control.CANCEL:
        reason = session.control_reason or "Cancelled."
        endings.finish(session, Ending(SessionStatus.CANCELLED, error=reason, code="cancelled"))
    elif isinstance(stopped, Rest):
        _park(session, stopped.state, stopped.why)
    elif isinstance(stopped, Untaken):
        _ask_again(session, stopped)
    elif not stopped.tasks:  # not `next`: that is empty too when writes were saved and their checkpoint was not
        endings.finish(session, Ending(SessionStatus.SUCCEEDED, output=_result(session, stopped)))
    else:
        _park(session, stopped)
    return SessionStatus(session.status)


def _result(session: AgentSession, stopped: StateSnapshot) -> Any:
    return agent_type(session.agent_type).result(stopped.values)


def _park(session: AgentSession, stopped: StateSnapshot, resting: Resting | None = None) -> None:
    """Make the rows that the interrupts ask for, then rest: so no answer can come before its question.

    Where a budget is used up nobody is started: that question is put again once a person has decided.
    """
    children = _to_start(session, stopped.interrupts)
    budget = budgets.used_up(session, children=children)
    asked = [one for one in stopped.interrupts if budget is None or not _is_new_delegation(session, one)]
    try:
        with transaction.atomic():
            for interrupt in asked:
                _open(session, interrupt)
    except DomainError as error:
        failure = Failure.of(error)
        endings.finish(session, Ending(SessionStatus.FAILED, error=failure.message, code=failure.code))
        return
    sessions.forget_crashes(session)
    if resting is not None:
        _rest(session, resting)
    if session.control == Control.PAUSE:
        sessions.move(session, SessionStatus.PAUSED, actor=agent(session.pk), cause="paused")
    elif resting is not None:
        sessions.move(session, _resting_status(session, asked), actor=agent(session.pk), cause="resting")
    elif asked and waits.are_open(session, [interrupt.id for interrupt in asked]):
        sessions.move(session, waits.resting_status(session), actor=agent(session.pk), cause="asked")
    elif budget is not None:
        budgets.park(session, budget, children=children)
    else:  # an answer came while it ran, or it was only drained
        sessions.move(session, SessionStatus.QUEUED, actor=agent(session.pk), cause="continued")


def _ask_again(session: AgentSession, stopped: Untaken) -> None:
    """Put the questions that are still there before people again; one that nobody answered will not be better."""
    untaken = [one.id for one in stopped.state.interrupts if one.id in stopped.given]
    if any([refusals.ask_again(session, interrupt_id, stopped.why) for interrupt_id in untaken]):
        _park(session, stopped.state)
    else:
        endings.finish(session, Ending(SessionStatus.FAILED, error=stopped.why, code="error"))


def _rest(session: AgentSession, resting: Resting) -> None:
    """A timer for a locked session, which no question of its graph waits for; one for each pause of a call."""
    key, until = resting.data["key"], resting.data["until"]
    named = digest({"run": session.current_run_id, "key": key, "until": until})[:32]
    question = waits.Question(f"{waits.PAUSE}{named}", WaitKind.TIMER, key, {}, "the next try", str(resting))
    timers.sleep(session, question, seconds=None, until=until)


def _resting_status(session: AgentSession, asked: Sequence[Interrupt]) -> SessionStatus:
    """Queued, if one of its questions was answered while it ran: other tasks go on while one of them rests."""
    answered = session.waits.filter(interrupt_id__in=[one.id for one in asked], answered_at__gte=session.moved_at)
    return SessionStatus.QUEUED if answered.exists() else waits.resting_status(session)


def _to_start(session: AgentSession, interrupts: Sequence[Interrupt]) -> int:
    """How many agents these questions would start."""
    return sum(len(one.value["tasks"]) for one in interrupts if _is_new_delegation(session, one))


def _is_new_delegation(session: AgentSession, interrupt: Interrupt) -> bool:
    asked = interrupt.value
    is_children = isinstance(asked, dict) and asked.get("wait") == WaitKind.CHILDREN
    return is_children and not session.waits.filter(interrupt_id=interrupt.id).exists()


def _open(session: AgentSession, interrupt: Interrupt) -> None:
    asked = interrupt.value
    if not _is_own(asked):
        ask_people(session, interrupt)
        return
    kind = WaitKind(asked["wait"])
    question = waits.Question(
        interrupt_id=interrupt.id,
        kind=kind,
        key=asked["key"],
        request={},
        subject=asked["subject"],
        reason=asked["reason"],
    )
    if kind is WaitKind.CHILDREN:
        children = waits.delegate(
            session,
            question,
            [_start(task) for task in asked["tasks"]],
            needs=ChildrenNeeded(asked["needs"]),
            needed=asked["needed"],
            most=agent_type(session.agent_type).fan_out,
            others_go_on=asked.get("others_go_on", False),
        )
        for child in children:
            _give_part(session, child, asked["tasks"][child.position].get("limits"))
    elif kind is WaitKind.TIMER:
        until = datetime.fromisoformat(asked["until"]) if asked["until"] else None
        timers.sleep(session, question, seconds=asked["seconds"], until=until)
    elif kind is WaitKind.REPLY:
        message = Message(CommunicationType(asked["says"]), asked["content"], asked["priority"])
        requests.ask(session, question, message, to=UUID(asked["to"]), seconds=asked["seconds"])
    elif kind is WaitKind.EVENT:
        signals.wait_for(session, question, name=asked["signal"], seconds=asked["seconds"])
    else:
        row = ToolExecution.objects.get(pk=UUID(asked["execution_id"]), session=session)
        approvals.request(session, question, request_for(session, row, kind, asked["title"]))
        if kind is WaitKind.UNCERTAIN and row.status == ExecutionStatus.COMPLETED:  # before anybody was asked
            approvals.dispel_doubt(row.pk)


def _is_own(asked: Any) -> bool:
    """Was it asked by a node of ours? All else comes from graphs that know nothing of Queenright."""
    return (
        isinstance(asked, dict) and asked.get("wait") in set(WaitKind) and {"key", "subject", "reason"} <= asked.keys()
    )


def _give_part(session: AgentSession, child: AgentSession, limits: dict[str, str] | None) -> None:
    if limits:
        budgets.set_limits(child, budgets.part_of(session, budgets.parse(limits)), actor=agent(session.pk))


def _start(task: dict[str, Any]) -> Start:
    kind = agent_type(task["agent_type"])
    return Start(
        agent_type=kind.name,
        level=kind.level,
        name=task["name"],
        goal=task["goal"],
        input=task["input"],
        seconds=task.get("seconds"),
        batch=task.get("batch", ()),
    )
