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

from agents import access, interrupts
from agents.actor import SYSTEM, person
from agents.errors import Forbidden, InvalidInput, InvalidTransition
from agents.events import store
from agents.events.types import ApprovalAssigned, ApprovalReminded
from agents.lifecycle import ApprovalStatus, DecidedBy
from agents.models import AgentSession, Approval, Membership, SessionWait, User
from agents.policies.policy import AtDeadline, Escalation, Terms
from agents.roles import Role, higher, includes
from agents.services import audit, conclusions, deadlines, deciders, decisions
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


def planned(terms: Terms, allowed: Sequence[str], session: AgentSession) -> dict[str, Any]:
    """The columns of a new request whose decision has these terms. What its graph cannot be told has no deadline."""
    default = {AtDeadline.REJECT: interrupts.REJECT, AtDeadline.APPROVE: interrupts.APPROVE}.get(terms.at_deadline)
    if default is not None and default not in allowed:
        terms = terms.model_copy(update={"deadline": None})
    todo = steps(terms)
    return {
        "terms": terms.model_dump(mode="json"),
        "assigned_role": terms.role,
        "assigned_to_id": _whom(session, terms, terms.person, terms.role),
        "deadline_at": deadlines.after(terms.deadline) if terms.deadline else None,
        "next_step_at": deadlines.after(todo[0].after) if todo else None,
    }


def _whom(session: AgentSession, terms: Terms, name: str, role: Role) -> UUID | None:
    """Who of that name may decide, under these terms, what a session asks; None without one: it is for the role."""
    found = deciders.named(session.project_id, name, higher(role, terms.role))
    is_own = terms.not_own and found is not None and found == session.root.user_id
    return None if is_own else found


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
        _escalate(session, approval, terms, step.to, number)
    elif terms.at_deadline is AtDeadline.ESCALATE:
        _escalate(session, approval, terms, terms.escalations[-1], number)
    else:
        verdict = interrupts.APPROVE if terms.at_deadline is AtDeadline.APPROVE else interrupts.REJECT
        decision = Decision(verdict, reason="" if verdict == interrupts.APPROVE else NOBODY)
        effect = conclusions.checked(approval, decision)
        conclusions.conclude(Conclusion(Held(session, wait, approval), decision, effect, Decider(DecidedBy.DEADLINE)))


def _escalate(session: AgentSession, approval: Approval, terms: Terms, to: Escalation, number: int) -> None:
    user_id = _whom(session, terms, to.person, to.role)
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
    terms = Terms.model_validate(approval.terms)
    _check_may_give(approval, terms, by)
    if to is not None and _whom(session, terms, to.get_username(), role) != to.pk:
        raise InvalidInput(fields={"to": "Only who may decide this can be asked."})
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


def _check_may_give(approval: Approval, terms: Terms, by: User) -> None:
    """Raise Forbidden for who would take it from those that its policy puts it to: a higher role, or a person.

    Admins may give it to others, and so may whom it is for; where that one can decide it no more, whoever has the role.
    """
    wanted = higher(Role(approval.assigned_role), terms.role)
    role = access.role_in(by, approval.project_id)
    names = [terms.person, *(one.person for one in terms.escalations)]
    able = Membership.objects.able(wanted).filter(project=approval.project_id, user=approval.assigned_to_id)
    is_put_to_one = any(names) and able.exists()
    if is_put_to_one and role is not Role.ADMIN:
        deciders.check(approval, terms.model_copy(update={"not_own": False}), by, role)
    if role is None or not includes(role, wanted):
        raise Forbidden(f"It is for the role {wanted}; yours is {role}.")
