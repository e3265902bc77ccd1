"""Requests to people: made when an agent parks, decided exactly once."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents.actor import SYSTEM, Actor, agent, person
from agents.errors import AlreadyDecided, InvalidInput, NotFound, StaleVersion
from agents.events import causes, store
from agents.events.digests import digest
from agents.events.types import ApprovalDecided, ApprovalRequested
from agents.ids import derived_id
from agents.lifecycle import VERDICTS, ApprovalStatus, Risk, WaitKind
from agents.models import AgentSession, Approval, SessionWait, User
from agents.services import audit, sessions, waits


@dataclass(frozen=True, slots=True)
class Request:
    """What is put before a person. `allowed` holds the verdicts that the asking agent understands."""

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


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided. `arguments` are the effective ones, the proposed or the edited."""

    verdict: str
    arguments: dict[str, Any] | None = None
    reason: str = ""


def request(session: AgentSession, question: waits.Question, asked: Request) -> Approval:
    """Open a wait and put its request before people, once. The caller holds the session.

    A request that was withdrawn when the agent ended is put again when a retry comes back to its question.
    """
    wait, is_new = waits.open_wait(session, question)
    earlier = [] if is_new else list(Approval.objects.filter(wait=wait).order_by("-position"))
    if earlier and (wait.answered_at is not None or earlier[0].status != ApprovalStatus.WITHDRAWN):
        return earlier[0]
    position = len(earlier)
    approval = Approval.objects.create(
        approval_id=derived_id(session.pk, "approval", question.interrupt_id, position),
        position=position,
        project_id=session.project_id,
        session=session,
        wait=wait,
        execution_id=asked.execution_id,
        kind=asked.kind,
        title=asked.title,
        tool_name=asked.tool_name,
        risk=asked.risk,
        intent=asked.intent,
        effects=list(asked.effects),
        proposed=asked.proposed,
        schema=asked.schema,
        allowed=list(asked.allowed),
    )
    store.record(
        ApprovalRequested(
            session_id=session.pk, tool_name=asked.tool_name, risk=asked.risk, digest=digest(asked.proposed)
        ),
        session,
        actor=agent(session.pk),
        aggregate_id=approval.pk,
    )
    return approval


@transaction.atomic
def decide(approval_id: UUID, decision: Decision, *, by: User, version: int) -> Approval:
    """Decide a pending request, once, and queue the agent that asked.

    Raises AlreadyDecided (with who, when and what) when somebody was first, StaleVersion when the request has
    changed since `version`, InvalidInput when the request does not allow this verdict or a reason is missing.
    """
    found = Approval.objects.filter(pk=approval_id).values_list("session_id", "wait_id").first()
    if found is None:
        raise NotFound
    session = sessions.lock(found[0])
    wait = SessionWait.objects.select_for_update(no_key=True).get(pk=found[1])
    approval = Approval.objects.get(pk=approval_id)
    _check(approval, decision)
    effective = approval.proposed if decision.arguments is None else decision.arguments
    edited = effective if effective != approval.proposed else None
    status = VERDICTS[decision.verdict]
    is_go = status is ApprovalStatus.APPROVED
    changed = Approval.objects.filter(pk=approval_id, status=ApprovalStatus.PENDING, version=version).update(
        status=status,
        verdict=decision.verdict,
        reason=decision.reason,
        edited=edited,
        effective=effective if is_go else None,
        effective_digest=digest(effective) if is_go else "",
        version=F("version") + 1,
        decided_by=by,
        decided_at=timezone.now(),
    )
    if not changed:
        raise _refusal(approval_id)
    approval.refresh_from_db()
    decided = _record(approval, session, actor=person(by.pk))
    audit.record(
        by.pk,
        f"approval.{decision.verdict}",
        project_id=approval.project_id,
        target=("approval", approval.pk),
        detail={"edited": edited is not None, "digest": approval.effective_digest},
    )
    with causes.caused_by(decided):
        waits.answer(session, wait, _answer(approval))
    return approval


def _check(approval: Approval, decision: Decision) -> None:
    if decision.verdict not in approval.allowed:
        raise InvalidInput(f"This request cannot be answered with “{decision.verdict}”.")
    if VERDICTS[decision.verdict] is ApprovalStatus.REJECTED and not decision.reason.strip():
        raise InvalidInput(fields={"reason": "Say why, in a sentence: the agent reads it."})


def _refusal(approval_id: UUID) -> AlreadyDecided | StaleVersion:
    now = Approval.objects.select_related("decided_by").get(pk=approval_id)
    if now.status == ApprovalStatus.PENDING:
        return StaleVersion(version=now.version)
    who = now.decided_by.get_username() if now.decided_by else "the system"
    return AlreadyDecided(
        f"{now.get_status_display()} by {who}.",
        status=now.status,
        by=who,
        at=now.decided_at,
        approval_id=now.pk,
    )


def _answer(approval: Approval) -> dict[str, Any]:
    return {
        "type": approval.verdict,
        "args": approval.effective,
        "digest": approval.effective_digest,
        "message": approval.reason,
    }


def _record(approval: Approval, session: AgentSession, *, actor: Actor) -> UUID:
    return store.record(
        ApprovalDecided(
            session_id=session.pk,
            status=approval.status,
            verdict=approval.verdict,
            edited=approval.edited is not None,
            digest=approval.effective_digest,
        ),
        session,
        actor=actor,
        aggregate_id=approval.pk,
    )


def withdraw(
    session: AgentSession, reason: str, *, kind: WaitKind | None = None, wait: SessionWait | None = None
) -> list[Approval]:
    """Take back the pending requests of a locked session, those of one kind or one wait, or all; they."""
    pending = Approval.objects.select_for_update(no_key=True).filter(session=session, status=ApprovalStatus.PENDING)
    pending = pending.filter(kind=kind) if kind else pending
    found = list(pending.filter(wait=wait) if wait else pending)
    for approval in found:
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
            waits.answer(session, wait, {**_answer(approval), "type": "done"})


def _withdraw(approval: Approval, session: AgentSession, reason: str) -> UUID:
    approval.status, approval.reason = ApprovalStatus.WITHDRAWN, reason
    approval.decided_at = timezone.now()
    approval.version += 1
    approval.save(update_fields=["status", "reason", "decided_at", "version"])
    return _record(approval, session, actor=SYSTEM)
