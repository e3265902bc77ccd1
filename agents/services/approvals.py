"""Requests to people: made when an agent parks, withdrawn when it ends."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from agents import interrupts
from agents.actor import SYSTEM, agent
from agents.events import causes, store
from agents.events.digests import json_digest
from agents.events.types import ApprovalDecided, ApprovalRequested, ApprovalUndone
from agents.ids import derived_id
from agents.lifecycle import ApprovalStatus, DecidedBy, Policy, Risk, WaitKind
from agents.models import AgentSession, Approval, SessionWait, ToolExecution
from agents.policies.policy import Terms
from agents.services import attention, conclusions, rules, sessions, waits
from agents.services.conclusions import Conclusion, Decider, Decision, Held

AT_ONCE = Terms(undo=0)
"""For what is no tool call: one person decides, and the agent is told at once."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is put before people. `allowed` holds what the asking agent understands: verdicts, and "edit".

    `form` and `place`: of an interrupt that a graph made by itself; `ruled` is what the policy says of what it asks
    for, `refusal` why it refuses that, `taken` are the proposed arguments as the tool would take them, where known.
    `terms`, by `policy_rule` of `policy_version`, say how it is to be decided.
    """

    kind: str
    title: str
    tool_name: str
    risk: Risk
    intent: str
    proposed: dict[str, Any]
    allowed: tuple[str, ...]
    execution_id: UUID | None = None
    schema: dict[str, Any] = field(default_factory=dict)
    effects: tuple[dict[str, str], ...] = ()
    form: str = ""
    place: int = 0
    ruled: Policy = Policy.ASK
    refusal: str = ""
    taken: dict[str, Any] | None = None
    may_change_tool: bool = False
    terms: Terms = AT_ONCE
    policy_version: int | None = None
    policy_rule: str = ""


def request(session: AgentSession, question: waits.Question, *asked: Request) -> list[Approval]:
    """Open a wait and put what it asks before people, once. The caller holds the session.

    What was withdrawn when the agent ended is put again when a retry comes back to its question. A rule may decide
    at once.
    """
    wait, is_new = waits.open_wait(session, question)
    earlier = [] if is_new else list(Approval.objects.filter(wait=wait).order_by("-position"))
    latest = earlier[: len(asked)]
    if latest and (wait.answered_at is not None or all(one.status != ApprovalStatus.WITHDRAWN for one in latest)):
        return sorted(latest, key=lambda one: one.position)
    made = [_make(session, wait, question, one, len(earlier) + place) for place, one in enumerate(asked)]
    for approval, one in zip(made, asked, strict=True):
        if not _follow_policy(session, wait, approval, one):
            rules.apply(session, wait, approval, one.taken)
    return made


def _follow_policy(session: AgentSession, wait: SessionWait, approval: Approval, asked: Request) -> bool:
    """Does the policy decide by itself what the graph can be told so?"""
    verdict = {Policy.RUN: interrupts.APPROVE, Policy.REFUSE: interrupts.REJECT}.get(asked.ruled, "")
    if verdict not in asked.allowed:
        return False
    decision = Decision(verdict, reason=asked.refusal if verdict == interrupts.REJECT else "")
    effect = conclusions.checked(approval, decision)
    conclusions.conclude(Conclusion(Held(session, wait, approval), decision, effect, Decider(DecidedBy.POLICY)))
    return True


def covering(session: AgentSession, row: ToolExecution, digests: Collection[str]) -> Approval | None:
    """The approval that a graph asked for by itself, of just this call; one approval covers one call.

    The caller holds the session.
    """
    approved = Approval.objects.filter(
        session=session, kind=WaitKind.FOREIGN, status=ApprovalStatus.APPROVED, effective_digest__in=digests
    )
    named = approved.filter(Q(effective_tool=row.tool_name) | Q(effective_tool="", tool_name=row.tool_name))
    found = named.filter(Q(execution=row) | Q(execution=None)).order_by(F("execution").asc(nulls_last=True), "position")
    approval = found.first()
    if approval is not None and approval.execution_id is None:
        approval.execution = row
        approval.save(update_fields=["execution"])
    return approval


def _make(
    session: AgentSession, wait: SessionWait, question: waits.Question, asked: Request, position: int
) -> Approval:
    approval = Approval.objects.create(
        approval_id=derived_id(session.pk, "approval", question.interrupt_id, position),
        position=position,
        place=asked.place,
        project_id=session.project_id,
        session=session,
        wait=wait,
        execution_id=asked.execution_id,
        kind=asked.kind,
        form=asked.form,
        title=asked.title,
        tool_name=asked.tool_name,
        risk=asked.risk,
        intent=asked.intent,
        effects=list(asked.effects),
        proposed=asked.proposed,
        schema=asked.schema,
        allowed=list(asked.allowed),
        may_change_tool=asked.may_change_tool,
        policy_version=asked.policy_version,
        policy_rule=asked.policy_rule,
        **attention.planned(asked.terms, asked.allowed, session),
    )
    store.record(
        ApprovalRequested(
            session_id=session.pk,
            tool_name=asked.tool_name,
            risk=asked.risk,
            digest=json_digest(asked.proposed),
            form=asked.form,
            place=asked.place,
            policy_version=asked.policy_version,
            role=approval.assigned_role,
            assigned_to=approval.assigned_to_id,
        ),
        session,
        actor=agent(session.pk),
        aggregate_id=approval.pk,
    )
    return approval


def withdraw(
    session: AgentSession, reason: str, *, kind: WaitKind | None = None, wait: SessionWait | None = None
) -> list[Approval]:
    """Take back the pending requests of a locked session, those of one kind or one wait, or all; they.

    So are decisions of which it has not been told, alone or with the rest of a batch: it never will be, and nobody
    could take them back any more.
    """
    untold = Q(decided_at__isnull=False, wait__answered_at__isnull=True) & ~Q(status=ApprovalStatus.WITHDRAWN)
    own = Approval.objects.select_for_update(no_key=True, of=("self",)).filter(session=session)
    pending = own.filter(Q(status=ApprovalStatus.PENDING) | untold)
    pending = pending.filter(kind=kind) if kind else pending
    found = list(pending.filter(wait=wait) if wait else pending)
    for approval in found:
        if approval.status != ApprovalStatus.PENDING:
            _reopen(approval, session)
        _withdraw(approval, session, reason)
    return found


@transaction.atomic
def dispel_doubt(execution_id: UUID) -> None:
    """A call has turned out to have happened: take back the question whether it did, and let its agent go on."""
    doubts = Approval.objects.filter(execution_id=execution_id, kind=WaitKind.UNCERTAIN, status=ApprovalStatus.PENDING)
    if (session_id := doubts.values_list("session_id", flat=True).first()) is None:
        return
    session = sessions.lock(session_id)
    for approval in doubts.select_for_update(no_key=True):
        wait = SessionWait.objects.select_for_update(no_key=True).get(pk=approval.wait_id)
        with causes.caused_by(_withdraw(approval, session, "It did happen: the result came late.")):
            waits.answer(session, wait, {"type": "done", "args": None, "digest": "", "message": approval.reason})


def _reopen(approval: Approval, session: AgentSession) -> None:
    Approval.objects.filter(pk=approval.pk).update(**conclusions.REOPENED, dispatched_at=None)
    store.record(ApprovalUndone(session_id=session.pk), session, actor=SYSTEM, aggregate_id=approval.pk)
    approval.refresh_from_db()


def _withdraw(approval: Approval, session: AgentSession, reason: str) -> UUID:
    approval.status, approval.reason = ApprovalStatus.WITHDRAWN, reason
    approval.decided_at = timezone.now()
    approval.version += 1
    approval.save(update_fields=["status", "reason", "decided_at", "version"])
    told = ApprovalDecided(session_id=session.pk, status=approval.status, verdict="", edited=False, digest="", votes=0)
    return store.record(told, session, actor=SYSTEM, aggregate_id=approval.pk)
