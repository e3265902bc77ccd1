"""Deciding what agents ask."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from agents import access
from agents.actor import Actor, person
from agents.errors import InvalidInput
from agents.events import causes
from agents.lifecycle import WaitKind
from agents.models import Approval, User
from agents.roles import Role
from agents.services import approvals, budgets, control, escalations, requests, subtrees
from agents.services.approvals import Decision
from orchestrator.runtime.guard import caller_of
from orchestrator.tools.registry import tool_named


@causes.act()
def decide(
    user: User,
    approval_id: UUID,
    *,
    verdict: str,
    version: int,
    arguments: dict[str, Any] | None = None,
    reason: str = "",
) -> Approval:
    """Decide a request. `arguments` are the edited ones, None for those proposed; `version` is the one that was seen.

    Raises NotFound or Forbidden, InvalidInput with a message for each bad field, AlreadyDecided when somebody was
    first, StaleVersion when the request has changed.
    """
    approval = access.approval_for(user, approval_id, role=Role.APPROVER)
    if approval.kind == WaitKind.BUDGET:
        return _decide_budget(user, approval, Decision(verdict, arguments, reason.strip()), version)
    if approval.kind == WaitKind.REPLY:
        return _advise(user, approval, Decision(verdict, arguments, reason.strip()), version)
    effective = arguments
    if verdict == "approve" and approval.execution is not None:
        effective = _checked(approval, arguments)
    decision = Decision(verdict=verdict, arguments=effective, reason=reason.strip())
    return approvals.decide(approval_id, decision, by=user, version=version)


def _checked(approval: Approval, arguments: dict[str, Any] | None) -> dict[str, Any]:
    """The effective arguments, held against the tool's schema and the world once more."""
    if approval.execution is None:
        raise InvalidInput("This request is not about a tool.")
    tool = tool_named(approval.tool_name)
    caller = caller_of(approval.session, approval.execution)
    given = approval.proposed if arguments is None else arguments
    checked: dict[str, Any] = tool.check(caller, given).model_dump(mode="json")
    return checked


@transaction.atomic
def _advise(user: User, approval: Approval, decision: Decision, version: int) -> Approval:
    """Answer what no level of agents could answer."""
    if decision.verdict == "approve":
        decision = replace(decision, arguments=escalations.check(decision.arguments))
    decided = approvals.decide(approval.pk, decision, by=user, version=version)
    requests.decided(decided, actor=person(user.pk))
    return decided


@transaction.atomic
def _decide_budget(user: User, approval: Approval, decision: Decision, version: int) -> Approval:
    """Raise a budget and let go on who waits for it, or stop whom it holds."""
    actor = person(user.pk)
    if decision.verdict != "approve":
        decided = approvals.decide(approval.pk, decision, by=user, version=version)
        control.cancel(approval.session_id, actor=actor, reason=decision.reason)
        transaction.on_commit(  # whom it does not reach, the sweeper stops: they work for nobody
            lambda: _stop_below(approval.session_id, actor, decision.reason), robust=True
        )
        return decided
    given = approval.proposed if decision.arguments is None else decision.arguments
    limits = budgets.check(approval, given)
    decided = approvals.decide(approval.pk, decision, by=user, version=version)
    budgets.grant(decided, limits, actor=actor)
    return decided


def _stop_below(session_id: UUID, actor: Actor, reason: str) -> None:
    subtrees.cancel(session_id, actor=actor, reason=reason)
