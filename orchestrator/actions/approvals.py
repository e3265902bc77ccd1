"""Deciding what agents ask."""

from typing import Any
from uuid import UUID

from agents import access
from agents.errors import InvalidInput
from agents.events import causes
from agents.models import Approval, User
from agents.roles import Role
from agents.services import approvals
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
