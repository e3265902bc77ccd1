"""Rules that decide requests for people: who decides makes them, and revokes their own; admins revoke any."""

from typing import Any
from uuid import UUID

from agents import access
from agents.errors import Forbidden, InvalidInput, NotFound
from agents.events import causes
from agents.lifecycle import Risk, RuleVerdict
from agents.models import ApprovalRule, User
from agents.roles import Role
from agents.services import rules
from agents.services.rules import Rule, Tried
from orchestrator.tools.registry import tool_named


@causes.act()
def make(
    user: User,
    project_id: UUID,
    *,
    tool: str,
    verdict: str,
    name: str,
    conditions: Any,
    reason: str = "",
    seconds: int | None = None,
    made_from: UUID | None = None,
) -> ApprovalRule:
    """Let a rule decide requests about a tool from now on. `made_from`: the request that led to it.

    Raises NotFound, Forbidden, InvalidInput with a message for each bad field.
    """
    access.project_for(user, project_id, role=Role.APPROVER)
    if made_from is not None and access.approval_for(user, made_from).project_id != project_id:
        raise NotFound
    rule = Rule(tool.strip(), _verdict(verdict), name, conditions, reason, seconds, made_from, _risk(tool.strip()))
    return rules.make(project_id, rule, by=user)


@causes.act()
def revoke(user: User, rule_id: UUID) -> ApprovalRule:
    """Let a rule decide nothing any more. Raises NotFound, Forbidden for somebody else's, InvalidTransition."""
    rule = access.rule_for(user, rule_id, role=Role.APPROVER)
    if rule.owner_id != user.pk and not access.is_admin(user, rule.project_id):
        raise Forbidden("Only its owner and admins can revoke a rule.")
    return rules.revoke(rule_id, by=user)


def tried(
    user: User, project_id: UUID, *, tool: str, verdict: str, conditions: Any, seconds: int | None = None
) -> Tried:
    """What such a rule would have done to the latest requests. Raises NotFound, Forbidden, InvalidInput."""
    access.project_for(user, project_id, role=Role.APPROVER)
    return rules.tried(project_id, Rule(tool.strip(), _verdict(verdict), "", conditions, "", seconds), by=user)


def tried_again(user: User, rule_id: UUID) -> Tried:
    """The same of a rule that is there, with its owner. Raises NotFound."""
    rule = access.rule_for(user, rule_id)
    seconds = None
    if rule.expires_at is not None:
        seconds = round((rule.expires_at - rule.created_at).total_seconds())
    known = Rule(rule.tool_name, RuleVerdict(rule.verdict), rule.name, rule.conditions, rule.reason, seconds)
    return rules.tried(rule.project_id, known, by=rule.owner)


def _verdict(given: str) -> RuleVerdict:
    if given not in set(RuleVerdict):
        raise InvalidInput(fields={"verdict": "Say whether it approves or rejects."})
    return RuleVerdict(given)


def _risk(tool: str) -> Risk | None:
    try:
        return tool_named(tool).risk
    except NotFound:
        return None
