"""What happens to a request while nobody decides it: reminders, escalations, its deadline; by the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from agents import interrupts
from agents.actor import SYSTEM, person
from agents.errors import Forbidden, InvalidInput, InvalidTransition
from agents.events import store
from agents.events.types import ApprovalAssigned, ApprovalReminded
from agents.lifecycle import ApprovalStatus, DecidedBy
from agents.models import AgentSession, Approval, Membership, SessionWait, User
from agents.policies.policy import AtDeadline, Escalation, Terms
from agents.roles import Role, includes
from agents.services import audit, conclusions, deadlines, decisions
from agents.services.conclusions import Conclusion, Decider, Decision, Held

NOBODY = "Nobody decided in time."


class StepKind(StrEnum):
    """What a step does."""

    REMIND = "remind"
    ESCALATE = "escalate"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens so many seconds after a request was made."""

    after: int
    kind: StepKind
    to: Escalation | None = None


def steps(terms: Terms) -> list[Step]:
    """All that terms plan, in the order in which it happens; the deadline comes last of those at one moment."""
    planned = [
        *(Step(after, StepKind.REMIND) for after in terms.reminders),
        *(Step(one.after, StepKind.ESCALATE, one) for one in terms.escalations),
        *([Step(terms.deadline, StepKind.DEADLINE)] if terms.deadline else ()),
    ]
    return sorted(planned, key=lambda step: (step.after, step.kind is StepKind.DEADLINE))


def planned(terms: Terms, allowed: Sequence[str], project_id: UUID) -> dict[str, Any]:
    """The columns of a new request whose decision has these terms. What its graph cannot be told has no deadline."""
    default = {AtDeadline.REJECT: interrupts.REJECT, AtDeadline.APPROVE: interrupts.APPROVE}.get(terms.at_deadline)
    if default is not None and default not in allowed:
        terms = terms.model_copy(update={"deadline": None})
    todo = steps(terms)
    return {
        "terms": terms.model_dump(mode="json"),
        "assigned_role": terms.role,
        "assigned_to_id": _member(project_id, terms.person),
        "deadline_at": deadlines.after(terms.deadline) if terms.deadline else None,
        "next_step_at": deadlines.after(todo[0].after) if todo else None,
    }


def _member(project_id: UUID, name: str) -> UUID | None:
    """The member of that name who may decide; None without one: then it is for the role."""
    if not name:
        return None
    found = Membership.objects.filter(project_id=project_id, **{f"user__{User.USERNAME_FIELD}": name}).first()
    return found.user_id if found and includes(Role(found.role), Role.APPROVER) else None


def due(limit: int = 500) -> list[UUID]:
    """Requests of which something is to happen now."""
    found = Approval.objects.filter(status=ApprovalStatus.PENDING, next_step_at__lte=Now()).order_by("next_step_at")
    return list(found.values_list("pk", flat=True)[:limit])


@transaction.atomic
def attend(approval_id: UUID) -> int:
    """Do what is due of a request; how many steps that were. One that was decided meanwhile is left alone."""
    session, wait, _ = decisions.locked(approval_id)
    done = 0
    while (approval := _due(approval_id)) is not None:
        _step(session, wait, approval)
        done += 1
    return done


def _due(approval_id: UUID) -> Approval | None:
    found = Approval.objects.filter(pk=approval_id, status=ApprovalStatus.PENDING, next_step_at__lte=Now())
    return found.first()


def _step(session: AgentSession, wait: SessionWait, approval: Approval) -> None:
    terms = Terms.model_validate(approval.terms)
    todo = steps(terms)
    number = approval.steps_done
    step = todo[number]
    following = todo[number + 1] if number + 1 < len(todo) else None
    Approval.objects.filter(pk=approval.pk).update(
        steps_done=number + 1,
        next_step_at=F("created_at") + timedelta(seconds=following.after) if following else None,
    )
    if step.kind is StepKind.REMIND:
        reminded = ApprovalReminded(session_id=session.pk, step=number)
        store.record(reminded, session, actor=SYSTEM, aggregate_id=approval.pk)
    elif step.to is not None:
        _escalate(session, approval, step.to, number)
    elif terms.at_deadline is AtDeadline.ESCALATE:
        _escalate(session, approval, terms.escalations[-1], number)
    else:
        verdict = interrupts.APPROVE if terms.at_deadline is AtDeadline.APPROVE else interrupts.REJECT
        decision = Decision(verdict, reason="" if verdict == interrupts.APPROVE else NOBODY)
        effect = conclusions.checked(approval, decision)
        conclusions.conclude(Conclusion(Held(session, wait, approval), decision, effect, Decider(DecidedBy.DEADLINE)))


def _escalate(session: AgentSession, approval: Approval, to: Escalation, number: int) -> None:
    user_id = _member(approval.project_id, to.person)
    Approval.objects.filter(pk=approval.pk).update(assigned_role=to.role, assigned_to=user_id)
    assigned = ApprovalAssigned(session_id=session.pk, role=to.role, user_id=user_id, step=number)
    store.record(assigned, session, actor=SYSTEM, aggregate_id=approval.pk)


@transaction.atomic
def assign(approval_id: UUID, *, role: Role, to: User | None, by: User) -> Approval:
    """Say for whom an open request is: for all who have a role, or for one of them.

    Raises InvalidTransition when it is decided, InvalidInput for somebody who may not decide, Forbidden for who would
    take it from those it is for.
    """
    session, _, approval = decisions.locked(approval_id)
    if approval.status != ApprovalStatus.PENDING:
        raise InvalidTransition("This request is decided.")
    if role not in (Role.APPROVER, Role.ADMIN):
        raise InvalidInput(fields={"role": "Only approvers and admins decide."})
    if to is not None and _member(approval.project_id, to.get_username()) != to.pk:
        raise InvalidInput(fields={"to": "Only who may decide in this project can be asked."})
    terms = Terms.model_validate(approval.terms)
    if to is not None and terms.people > 1:
        raise InvalidInput(fields={"to": f"{terms.people} people must decide this, so it cannot be for one."})
    if not includes(role, terms.role):
        raise Forbidden(f"Its policy wants the role {terms.role}.")
    Approval.objects.filter(pk=approval.pk).update(assigned_role=role, assigned_to=to, claimed_by=None)
    assigned = ApprovalAssigned(session_id=session.pk, role=role, user_id=to.pk if to else None)
    store.record(assigned, session, actor=person(by.pk), aggregate_id=approval.pk)
    audit.record(
        by.pk,
        "approval.assign",
        project_id=approval.project_id,
        target=("approval", approval.pk),
        detail={"role": str(role), "to": str(to.pk) if to else None},
    )
    approval.refresh_from_db()
    return approval
