"""How requests are concluded: written down once, and the agents told. For one of them or for many at a time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F

from agents import interrupts
from agents.actor import SYSTEM, Actor
from agents.errors import InvalidInput
from agents.events import store
from agents.events.digests import json_digest
from agents.events.types import ApprovalDecided
from agents.ids import new_id
from agents.interrupts import Decided, Form
from agents.lifecycle import VERDICTS, ApprovalStatus, DecidedBy
from agents.models import AgentSession, Approval, ApprovalRule, SessionWait, User
from agents.services import waits
from agents.storable import fault_of, is_same, storable_text

REOPENED: Mapping[str, Any] = {
    "status": ApprovalStatus.PENDING,
    "verdict": "",
    "reason": "",
    "edited": None,
    "effective": None,
    "effective_tool": "",
    "effective_digest": "",
    "version": F("version") + 1,
    "decided_how": "",
    "decided_by": None,
    "rule": None,
    "decided_at": None,
    "effective_at": None,
}
"""What a request is whose decision does not hold any more."""

# One statement for any number of them. What cannot be taken back goes to the agent in the same transaction.
_CONCLUDE = """
UPDATE approvals SET
    status = given.status, verdict = given.verdict, reason = given.reason, edited = given.edited,
    effective = given.effective, effective_tool = given.effective_tool, effective_digest = given.effective_digest,
    version = approvals.version + 1, decided_how = given.decided_how, decided_by_id = given.decided_by_id,
    rule_id = given.rule_id, decided_at = statement_timestamp(),
    effective_at = statement_timestamp() + make_interval(secs => given.undo),
    dispatched_at = CASE WHEN given.undo = 0 THEN statement_timestamp() END
FROM jsonb_to_recordset(%s::jsonb) AS given(
    approval_id uuid, status text, verdict text, reason text, edited jsonb, effective jsonb, effective_tool text,
    effective_digest text, decided_how text, decided_by_id uuid, rule_id uuid, undo float8)
WHERE approvals.approval_id = given.approval_id
RETURNING approvals.approval_id, decided_at, effective_at, dispatched_at"""


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided. `arguments` are the effective ones, the proposed or the edited; `tool`: in place of the
    one that was asked for. `answer`: of an open question. `key` names the press of a button: twice is once.
    """

    verdict: str
    arguments: dict[str, Any] | None = None
    reason: str = ""
    tool: str = ""
    answer: Any = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What takes effect: which tool is called with what, or what an open question is answered with."""

    tool: str
    arguments: dict[str, Any] | None
    is_edited: bool

    @property
    def digest(self) -> str:
        """Equal effects have equal digests; empty where nothing takes effect."""
        return "" if self.arguments is None else json_digest(self.arguments)


@dataclass(frozen=True, slots=True)
class Decider:
    """Who or what decides. Undoing takes a person."""

    how: DecidedBy
    actor: Actor = SYSTEM
    user: User | None = None
    rule: ApprovalRule | None = None


class Held(NamedTuple):
    """A request with its agent and its wait, all locked by the caller."""

    session: AgentSession
    wait: SessionWait
    approval: Approval


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a pending request ends. It can be taken back for `undo` seconds; `votes` people said so.

    `cause`: what led to it, where that is not the act which is under way.
    """

    held: Held
    decision: Decision
    effect: Effect
    decider: Decider
    undo: float = 0.0
    votes: int = 0
    cause: UUID | None = None


def conclude(conclusion: Conclusion) -> Approval:
    """Write down how a pending request was decided, and tell the agent, now or once that cannot be taken back."""
    conclude_all([conclusion])
    return conclusion.held.approval


def conclude_all(conclusions: Sequence[Conclusion]) -> None:
    """The same for several requests, in a few statements together. The rows that are held show it afterwards."""
    _write(conclusions)
    entries = [_entry(one) for one in conclusions]
    store.record_all(entries)
    decided = zip(conclusions, entries, strict=True)
    tell([(one.held, entry.event_id) for one, entry in decided if one.held.approval.dispatched_at and entry.event_id])


def _write(conclusions: Sequence[Conclusion]) -> None:
    written = {one.held.approval.pk: _columns(one) for one in conclusions}
    with connection.cursor() as cursor:
        rows = [written[one.held.approval.pk] | {"undo": one.undo} for one in conclusions]
        cursor.execute(_CONCLUDE, [json.dumps(rows, default=str)])
        times = {pk: moments for pk, *moments in cursor.fetchall()}
    for one in conclusions:
        approval = one.held.approval
        for name, value in written[approval.pk].items():
            setattr(approval, name, value)
        approval.version += 1
        approval.decided_at, approval.effective_at, approval.dispatched_at = times[approval.pk]


def _columns(one: Conclusion) -> dict[str, Any]:
    """What the request's columns say of it from now on."""
    decision, effect, decider = one.decision, one.effect, one.decider
    is_other_tool = effect.arguments is not None and effect.tool != one.held.approval.tool_name
    return {
        "approval_id": one.held.approval.pk,
        "status": VERDICTS[decision.verdict],
        "verdict": decision.verdict,
        "reason": decision.reason,
        "edited": effect.arguments if effect.is_edited else None,
        "effective": effect.arguments,
        "effective_tool": effect.tool if is_other_tool else "",
        "effective_digest": effect.digest,
        "decided_how": decider.how,
        "decided_by_id": decider.user.pk if decider.user else None,
        "rule_id": decider.rule.pk if decider.rule else None,
    }


def _entry(one: Conclusion) -> store.Entry:
    session, _, approval = one.held
    decided = ApprovalDecided(
        session_id=session.pk,
        status=approval.status,
        verdict=approval.verdict,
        edited=one.effect.is_edited,
        digest=approval.effective_digest,
        how=one.decider.how,
        rule_id=approval.rule_id,
        votes=one.votes,
    )
    return store.Entry(
        decided, approval.pk, approval.project_id, session.root_id, one.decider.actor, one.cause, event_id=new_id()
    )


def tell(decided: Sequence[tuple[Held, UUID]]) -> None:
    """Let dispatched decisions, each with the event that lets it go, reach the agents.

    An agent's wait is answered once all that it asked is decided.
    """
    asked = _asked([held for held, _ in decided])
    by_wait = {held.wait.pk: (held, event_id) for held, event_id in decided}
    waits.answer_all(
        [
            waits.Answered(held.session, held.wait, _answer(asked[wait_id]), cause=event_id)
            for wait_id, (held, event_id) in by_wait.items()
            if all(one.dispatched_at for one in asked[wait_id])
        ]
    )


def _asked(decided: Sequence[Held]) -> dict[UUID, list[Approval]]:
    """All that the waits of these requests ask, by wait and in order; of a place what was put there last."""
    own = [held.approval for held in decided]
    others = Approval.objects.filter(wait__in={held.wait.pk for held in decided}).exclude(pk__in=[a.pk for a in own])
    every = sorted([*own, *others], key=lambda one: (one.wait_id, one.position))
    return {
        wait_id: sorted({one.place: one for one in found}.values(), key=lambda one: one.place)
        for wait_id, found in groupby(every, lambda one: one.wait_id)
    }


def _answer(asked: list[Approval]) -> Any:
    """What the agent goes on with, in the form in which it asked."""
    first = asked[0]
    if first.form:
        return interrupts.answer(Form(first.form), [_told(one) for one in asked])
    return {
        "type": first.verdict,
        "args": first.effective,
        "digest": first.effective_digest,
        "message": first.reason,
    }


def _told(approval: Approval) -> Decided:
    verdict = interrupts.EDIT if approval.edited is not None else approval.verdict
    value = (approval.effective or {}).get("answer") if approval.form == Form.OPEN else None
    return Decided(verdict, approval.effective_tool or approval.tool_name, approval.effective, approval.reason, value)


def checked(approval: Approval, decision: Decision) -> Effect:
    """What a decision brings about. Raises InvalidInput where the request, or its graph, does not allow it."""
    check_storable(decision)
    tool = decision.tool or approval.tool_name
    if approval.form == Form.OPEN:
        effect = Effect("", {"answer": decision.answer}, False)
    elif decision.verdict in (interrupts.REJECT, interrupts.RESPOND, "stop"):
        effect = Effect(tool, None, False)
    else:
        given = approval.proposed if decision.arguments is None else decision.arguments
        is_as_proposed = is_same(given, approval.proposed)
        effective = approval.proposed if is_as_proposed else given
        effect = Effect(tool, effective, not is_as_proposed or tool != approval.tool_name)
    _check(approval, decision, effect)
    return effect


def check_storable(decision: Decision) -> None:
    """Raise InvalidInput, with a message for each of them, for parts of a decision that cannot be kept as they are."""
    arguments = decision.arguments if isinstance(decision.arguments, dict) else {"arguments": decision.arguments}
    answer = decision.answer if isinstance(decision.answer, dict) else {"answer": decision.answer}
    given = [*arguments.items(), *answer.items(), ("reason", decision.reason), ("", decision.tool)]
    faults = [(name, fault_of([name, value])) for name, value in [*given, ("key", decision.key)]]
    if fields := {storable_text(name): fault for name, fault in faults if fault}:
        raise InvalidInput("This cannot be kept.", fields=fields)


def _check(approval: Approval, decision: Decision, effect: Effect) -> None:
    asked = interrupts.EDIT if effect.is_edited else decision.verdict
    is_allowed = asked in approval.allowed and decision.verdict in VERDICTS
    # whoever edits approves: only then have schema and policy been asked about what it became
    if not is_allowed or (effect.is_edited and decision.verdict != interrupts.APPROVE):
        named = "other arguments" if asked == interrupts.EDIT else f"“{decision.verdict}”"
        raise InvalidInput(f"This request cannot be answered with {named}.")
    if VERDICTS[decision.verdict] is ApprovalStatus.REJECTED and not decision.reason.strip():
        raise InvalidInput(fields={"reason": "Say why, in a sentence: the agent reads it."})
    if approval.form:
        interrupts.check(_action(approval), Form(approval.form), _decided(decision, effect))
    elif effect.tool != approval.tool_name:
        raise InvalidInput("Another tool cannot be called in place of this one.")


def _action(approval: Approval) -> interrupts.Action:
    return interrupts.Action(
        approval.tool_name,
        approval.title,
        approval.proposed,
        tuple(approval.allowed),
        schema=approval.schema,
        may_change_tool=approval.may_change_tool,
    )


def _decided(decision: Decision, effect: Effect) -> Decided:
    verdict = interrupts.EDIT if effect.is_edited else decision.verdict
    return Decided(verdict, effect.tool, effect.arguments, decision.reason, decision.answer)
