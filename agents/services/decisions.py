"""Decisions: each request is decided once, by a person, a rule or its deadline, and the agent is told once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from agents import interrupts
from agents.actor import SYSTEM, Actor, person
from agents.errors import AlreadyDecided, Forbidden, InvalidInput, NotFound, StaleVersion, TooLate
from agents.events import causes, store
from agents.events.digests import digest
from agents.events.types import ApprovalDecided, ApprovalDispatched, ApprovalUndone, ApprovalVoted
from agents.interrupts import Decided, Form
from agents.lifecycle import VERDICTS, ApprovalStatus, DecidedBy, Risk
from agents.models import AgentSession, Approval, ApprovalRule, SessionWait, User, Vote
from agents.policies.policy import Terms
from agents.services import audit, deadlines, deciders, sessions, waits

DECIDED = (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED, ApprovalStatus.ANSWERED)
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
        return "" if self.arguments is None else digest(self.arguments)


@dataclass(frozen=True, slots=True)
class Decider:
    """Who or what decides. Undoing takes a person."""

    how: DecidedBy
    actor: Actor = SYSTEM
    user: User | None = None
    rule: ApprovalRule | None = None


@transaction.atomic
def decide(approval_id: UUID, decision: Decision, *, by: User, version: int, terms: Terms | None = None) -> Approval:
    """Decide a pending request, or say what somebody else must say, too; the request as it stands then.

    The agent is told at once, or once the decision cannot be taken back any more. `terms`: those of what it was
    changed to; the stricter hold. The same press of a button again changes nothing.
    Raises NotFound, Forbidden for who may not decide it, AlreadyDecided (with who, when and what) when somebody was
    first, StaleVersion when the request has changed since `version`, InvalidInput when it does not allow this.
    """
    session, wait, approval = locked(approval_id)
    if decision.key and was_pressed(approval_id, decision.key, by=by):
        return approval
    if approval.status != ApprovalStatus.PENDING or approval.version != version:
        raise _refusal(approval)
    asked = Terms.model_validate(approval.terms)
    terms = asked.stricter(terms) if terms else asked
    deciders.check(approval, terms, by)
    effect = checked(approval, decision)
    vote = _vote(approval, decision, effect, by)
    counted = 1
    if terms.people > 1:
        voted = ApprovalVoted(session_id=session.pk, vote_id=vote.pk, verdict=vote.verdict, digest=vote.digest)
        store.record(voted, session, actor=person(by.pk), aggregate_id=approval.pk)
        if decision.verdict == interrupts.APPROVE and (counted := _counted(approval, effect)) < terms.people:
            return approval
    undo = terms.undo_seconds(Risk(approval.risk)) if terms.people == 1 else 0.0
    decider = Decider(DecidedBy.PERSON, person(by.pk), by)
    return conclude(session, wait, approval, decision, effect, decider, undo=undo, votes=counted)


def was_pressed(approval_id: UUID, key: str, *, by: User) -> bool:
    """Has this press of a button reached the request before?"""
    return Vote.objects.filter(approval=approval_id, user=by, key=key).exists()


def checked(approval: Approval, decision: Decision) -> Effect:
    """What a decision brings about. Raises InvalidInput where the request, or its graph, does not allow it."""
    tool = decision.tool or approval.tool_name
    if approval.form == Form.OPEN:
        effect = Effect("", {"answer": decision.answer}, False)
    elif decision.verdict in (interrupts.REJECT, interrupts.RESPOND, "stop"):
        effect = Effect(tool, None, False)
    else:
        effective = approval.proposed if decision.arguments is None else decision.arguments
        effect = Effect(tool, effective, effective != approval.proposed or tool != approval.tool_name)
    _check(approval, decision, effect)
    return effect


def _check(approval: Approval, decision: Decision, effect: Effect) -> None:
    asked = interrupts.EDIT if effect.is_edited else decision.verdict
    if asked not in approval.allowed or decision.verdict not in VERDICTS:
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


def _vote(approval: Approval, decision: Decision, effect: Effect, by: User) -> Vote:
    """Keep what a person says; it stands in place of what the same person said before."""
    votes(approval).filter(user=by).update(withdrawn_at=Now())
    vote = Vote.objects.create(
        project_id=approval.project_id,
        approval=approval,
        user=by,
        key=decision.key,
        verdict=decision.verdict,
        tool_name=effect.tool,
        arguments=effect.arguments,
        digest=effect.digest,
        reason=decision.reason,
    )
    audit.record(
        by.pk,
        f"approval.{decision.verdict}",
        project_id=approval.project_id,
        target=("approval", approval.pk),
        detail={"edited": effect.is_edited, "digest": effect.digest},
    )
    return vote


def votes(approval: Approval) -> QuerySet[Vote]:
    """What stands of what people said to a request."""
    return Vote.objects.filter(approval=approval, withdrawn_at__isnull=True)


def _counted(approval: Approval, effect: Effect) -> int:
    """How many approve exactly this."""
    alike = votes(approval).filter(verdict=interrupts.APPROVE, digest=effect.digest, tool_name=effect.tool)
    return alike.count()


def conclude(
    session: AgentSession,
    wait: SessionWait,
    approval: Approval,
    decision: Decision,
    effect: Effect,
    decider: Decider,
    *,
    undo: float = 0.0,
    votes: int = 0,
) -> Approval:
    """Write down how a pending request was decided, and tell the agent now or after `undo` seconds.

    The caller holds session, wait and request.
    """
    Approval.objects.filter(pk=approval.pk).update(
        status=VERDICTS[decision.verdict],
        verdict=decision.verdict,
        reason=decision.reason,
        edited=effect.arguments if effect.is_edited else None,
        effective=effect.arguments,
        effective_tool=effect.tool if effect.arguments is not None and effect.tool != approval.tool_name else "",
        effective_digest=effect.digest,
        version=F("version") + 1,
        decided_how=decider.how,
        decided_by=decider.user,
        rule=decider.rule,
        decided_at=Now(),
        effective_at=deadlines.after(undo),
    )
    approval.refresh_from_db()
    decided = store.record(
        ApprovalDecided(
            session_id=session.pk,
            status=approval.status,
            verdict=approval.verdict,
            edited=effect.is_edited,
            digest=approval.effective_digest,
            how=decider.how,
            rule_id=decider.rule.pk if decider.rule else None,
            votes=votes,
        ),
        session,
        actor=decider.actor,
        aggregate_id=approval.pk,
    )
    if not undo:
        with causes.caused_by(decided):
            _dispatch(session, wait, approval)
    return approval


def _dispatch(session: AgentSession, wait: SessionWait, approval: Approval) -> None:
    """Let a decision go to the agent, whose wait is answered once all that it asked is decided."""
    Approval.objects.filter(pk=approval.pk).update(dispatched_at=Now())
    approval.refresh_from_db()
    asked = {one.place: one for one in Approval.objects.filter(wait=wait).order_by("position")}  # when put last
    if all(one.dispatched_at for one in asked.values()):
        waits.answer(session, wait, _answer([asked[place] for place in sorted(asked)]))


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


@transaction.atomic
def undo(approval_id: UUID, *, by: User) -> Approval:
    """Take a decision of one's own back before the agent is told: the request is open again.

    Raises NotFound, Forbidden for somebody else's decision, TooLate.
    """
    session, _, approval = locked(approval_id)
    if approval.status not in DECIDED:
        raise TooLate("There is no decision to take back.")
    if approval.decided_by_id != by.pk:
        raise Forbidden("Only who decided can take that back.")
    undone = Approval.objects.filter(pk=approval.pk, dispatched_at__isnull=True, effective_at__gt=Now()).update(
        **REOPENED
    )
    if not undone:
        raise TooLate
    votes(approval).filter(user=by).update(withdrawn_at=Now())
    store.record(ApprovalUndone(session_id=session.pk), session, actor=person(by.pk), aggregate_id=approval.pk)
    audit.record(by.pk, "approval.undo", project_id=approval.project_id, target=("approval", approval.pk), detail={})
    approval.refresh_from_db()
    return approval


def due(limit: int = 500) -> list[UUID]:
    """Decisions that cannot be taken back any more, and of which the agents have not been told."""
    found = Approval.objects.filter(effective_at__lte=Now(), dispatched_at__isnull=True).order_by("effective_at")
    return list(found.values_list("pk", flat=True)[:limit])


@transaction.atomic
def dispatch(approval_id: UUID) -> bool:
    """Tell an agent of a decision that cannot be taken back any more, once. False if that was done, or undone."""
    session, wait, approval = locked(approval_id)
    is_due = Approval.objects.filter(pk=approval.pk, effective_at__lte=Now(), dispatched_at__isnull=True).exists()
    if is_due:
        told = ApprovalDispatched(session_id=session.pk)
        with causes.caused_by(store.record(told, session, actor=SYSTEM, aggregate_id=approval.pk)):
            _dispatch(session, wait, approval)
    return is_due


def locked(approval_id: UUID) -> tuple[AgentSession, SessionWait, Approval]:
    """A request with its agent and its wait, locked in this order to the end of the transaction. Raises NotFound."""
    found = Approval.objects.filter(pk=approval_id).values_list("session_id", "wait_id").first()
    if found is None:
        raise NotFound
    session = sessions.lock(found[0])
    wait = SessionWait.objects.select_for_update(no_key=True).get(pk=found[1])
    return session, wait, Approval.objects.select_for_update(no_key=True).get(pk=approval_id)


def _refusal(now: Approval) -> AlreadyDecided | StaleVersion:
    if now.status == ApprovalStatus.PENDING:
        return StaleVersion(version=now.version)
    return AlreadyDecided(
        f"{now.get_status_display()} by {now.decider}.",
        status=now.status,
        by=now.decider,
        at=now.decided_at,
        approval_id=now.pk,
    )
