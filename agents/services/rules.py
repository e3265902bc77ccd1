"""Rules that decide requests about a tool in the name of who made them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from pydantic import ValidationError

from agents.access import role_in
from agents.errors import Forbidden, InvalidInput, InvalidTransition, NotFound
from agents.lifecycle import ApprovalStatus, DecidedBy, Risk, RuleVerdict, WaitKind
from agents.models import AgentSession, Approval, ApprovalRule, SessionWait, User
from agents.policies.conditions import Conditions, Facts
from agents.policies.policy import Terms, messages_of
from agents.roles import Level, Role, includes
from agents.services import audit, conclusions, deadlines, deciders
from agents.services.conclusions import Conclusion, Decider, Decision, Held
from agents.storable import is_storable

LONGEST_NAME = 200  # characters
LONGEST_REASON = 500
LONGEST_FOR_HIGH_RISK = 7 * 86400  # seconds that a rule may approve calls of high risk
LONGEST = 365 * 86400
CALLS = (WaitKind.APPROVAL, WaitKind.FOREIGN)
LOOKED_AT = 1000  # past requests of a dry run
LOOKED_BACK = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule to be made. `conditions`: as in `agents.policies.conditions`, without tools. `seconds`: None for ever.

    `risk` is the tool's own, where that is known.
    """

    tool_name: str
    verdict: RuleVerdict
    name: str
    conditions: Any
    reason: str = ""
    seconds: int | None = None
    made_from: UUID | None = None
    risk: Risk | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What a rule would have done: to which past requests, and how people decided those."""

    verdict: RuleVerdict
    looked_at: int
    hits: Sequence[Approval]

    @property
    def alike(self) -> int:
        """How many were decided as the rule would have."""
        return len(self.hits) - len(self.different)

    @property
    def different(self) -> Sequence[Approval]:
        """Those that were decided otherwise, or changed before."""
        return [one for one in self.hits if one.edited is not None or one.verdict != self.verdict]


@transaction.atomic
def make(project_id: UUID, rule: Rule, *, by: User) -> ApprovalRule:
    """Let a rule decide from now on. Raises InvalidInput with a message for each bad field, Forbidden."""
    conditions = _checked(project_id, rule, by)
    made = ApprovalRule.objects.create(
        project_id=project_id,
        name=rule.name.strip(),
        tool_name=rule.tool_name,
        verdict=rule.verdict,
        conditions=conditions.model_dump(mode="json", exclude_defaults=True),
        reason=rule.reason.strip(),
        owner=by,
        made_from_id=rule.made_from,
        expires_at=deadlines.after(rule.seconds) if rule.seconds else None,
    )
    made.refresh_from_db()
    audit.record(
        by.pk,
        "rule.make",
        project_id=project_id,
        target=("rule", made.pk),
        detail={"tool": made.tool_name, "verdict": made.verdict, "conditions": made.conditions},
    )
    return made


def _checked(project_id: UUID, rule: Rule, by: User) -> Conditions:
    role = role_in(by, project_id)
    if role is None or not includes(role, Role.APPROVER):
        raise Forbidden("Only who decides can make rules that decide.")
    conditions, fields = _parsed(rule.conditions)
    is_risky = _is_risky(project_id, rule, conditions)
    if is_risky and role is not Role.ADMIN:
        raise Forbidden("Only an admin can have calls of high risk approved by a rule.")
    fields |= {name: words for name, words in _faults(rule, is_risky=is_risky) if words}
    if fields:
        raise InvalidInput("The rule does not fit.", fields=fields)
    return conditions


def _parsed(given: Any) -> tuple[Conditions, dict[str, str]]:
    """Conditions from JSON, and what is wrong with each field of them; then they are those of everything."""
    try:
        conditions = Conditions.model_validate(given)
    except ValidationError as error:
        return Conditions(), {f"conditions.{at}".removesuffix("."): words for at, words in messages_of(error).items()}
    return conditions, {"conditions.tools": "A rule is for one tool."} if conditions.tools else {}


def _is_risky(project_id: UUID, rule: Rule, conditions: Conditions) -> bool:
    """Might it approve a call of high risk?"""
    if rule.verdict is not RuleVerdict.APPROVE or (conditions.risks and Risk.HIGH not in conditions.risks):
        return False
    return rule.risk is Risk.HIGH or (is_storable(rule.tool_name) and Risk.HIGH in _risks(project_id, rule.tool_name))


def _faults(rule: Rule, *, is_risky: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with each field of a rule; nothing: empty."""
    yield "name", "" if _is_short(rule.name) else f"Give it a name of up to {LONGEST_NAME} characters."
    yield "tool_name", "" if _is_short(rule.tool_name) else "Name the tool that it is for."
    yield "reason", _fault_of_reason(rule)
    if is_risky and not 60 <= (rule.seconds or 0) <= LONGEST_FOR_HIGH_RISK:
        yield "seconds", "Calls of high risk are approved by a rule for a minute at least, and for seven days at most."
    elif rule.seconds is not None and not 60 <= rule.seconds <= LONGEST:
        yield "seconds", "A rule holds for a minute at least, and for a year at most."


def _is_short(name: str) -> bool:
    return 0 < len(name.strip()) <= LONGEST_NAME and is_storable(name)


def _fault_of_reason(rule: Rule) -> str:
    if not is_storable(rule.reason):
        return "It has a character that cannot be stored."
    if len(rule.reason) > LONGEST_REASON:
        return f"Say it in up to {LONGEST_REASON} characters."
    is_missing = rule.verdict is RuleVerdict.REJECT and not rule.reason.strip()
    return "Say why, in a sentence: the agents read it." if is_missing else ""


def _risks(project_id: UUID, tool_name: str) -> set[str]:
    asked = Approval.objects.filter(project_id=project_id, tool_name=tool_name)
    return set(asked.order_by().values_list("risk", flat=True).distinct())


@transaction.atomic
def revoke(rule_id: UUID, *, by: User) -> ApprovalRule:
    """Let a rule decide nothing any more. Raises NotFound, InvalidTransition when it was revoked before."""
    rule = ApprovalRule.objects.select_for_update(no_key=True).filter(pk=rule_id).first()
    if rule is None:
        raise NotFound
    if rule.revoked_at is not None:
        raise InvalidTransition("This rule is revoked already.")
    ApprovalRule.objects.filter(pk=rule_id).update(revoked_at=Now(), revoked_by=by)
    audit.record(by.pk, "rule.revoke", project_id=rule.project_id, target=("rule", rule.pk), detail={})
    rule.refresh_from_db()
    return rule


def apply(
    session: AgentSession, wait: SessionWait, approval: Approval, taken: dict[str, Any] | None = None
) -> ApprovalRule | None:
    """Let the first rule that holds decide a new request; it, or None. The caller holds the session.

    `taken`: its arguments as the tool would take them, where they are written otherwise.

    Rules that reject come before those that approve. What several people or one person must decide is left to them,
    and a rule decides nothing that its owner could not.
    """
    for rule in _holding(session, approval, taken):
        if _hits(rule):
            _decide(session, wait, approval, rule)
            return rule
    return None


def _holding(session: AgentSession, approval: Approval, taken: dict[str, Any] | None = None) -> Iterator[ApprovalRule]:
    """The rules in force that may decide a request and whose conditions hold for it, the first first."""
    known = ApprovalRule.objects.in_force().filter(project_id=approval.project_id, tool_name=approval.tool_name)
    found = sorted(
        known.select_related("owner"), key=lambda rule: (rule.verdict == RuleVerdict.APPROVE, rule.created_at)
    )
    if not found:
        return
    facts = _facts(session, approval, deadlines.moment(0))
    facts = facts if taken is None else replace(facts, arguments=taken)
    for rule in found:
        may = _may_decide(RuleVerdict(rule.verdict), approval, rule.owner, ends=rule.expires_at is not None)
        if may and Conditions.model_validate(rule.conditions).hold(facts):
            yield rule


def is_wanted(verdict: RuleVerdict, approval: Approval, *, by: User) -> bool:
    """Could a rule that this person makes decide such a request so, and does none in force decide it by now?"""
    if not _may_decide(verdict, approval, by, ends=True):
        return False
    return next(_holding(approval.session, approval), None) is None


def _facts(session: AgentSession, approval: Approval, at: datetime) -> Facts:
    cost = approval.execution.cost_estimate if approval.execution else Decimal(0)
    return Facts(
        approval.tool_name,
        Risk(approval.risk),
        Level(session.level),
        session.agent_type,
        approval.proposed,
        at,
        cost,
    )


def _may_decide(verdict: RuleVerdict, approval: Approval, owner: User, *, ends: bool) -> bool:
    """May a rule of this person decide so? What is no call, or needs two people or just one, it may not."""
    terms = Terms.model_validate(approval.terms)
    if approval.kind not in CALLS or not approval.tool_name or verdict not in approval.allowed:
        return False
    if terms.people > 1 or terms.person or approval.assigned_to_id is not None or not owner.is_active:
        return False
    is_risky = approval.risk == Risk.HIGH and verdict is RuleVerdict.APPROVE
    if is_risky and not (ends and role_in(owner, approval.project_id) is Role.ADMIN):
        return False
    return not deciders.obstacle(approval, terms, owner)


def _hits(rule: ApprovalRule) -> bool:
    """Count that it decides; False if it was revoked since it was read."""
    still = ApprovalRule.objects.in_force().filter(pk=rule.pk)
    return bool(still.update(hits=F("hits") + 1, last_hit_at=Now()))


def _decide(session: AgentSession, wait: SessionWait, approval: Approval, rule: ApprovalRule) -> None:
    decision = Decision(rule.verdict, reason=rule.reason)
    effect = conclusions.checked(approval, decision)
    conclusions.conclude(
        Conclusion(Held(session, wait, approval), decision, effect, Decider(DecidedBy.RULE, rule=rule))
    )


def tried(project_id: UUID, rule: Rule, *, by: User) -> Tried:
    """What a rule of this person would have done to the latest requests about its tool, and how people decided those.

    Raises InvalidInput with a message for each bad field of what it decides, not of its name or reason.
    """
    conditions, fields = _parsed(rule.conditions)
    if not _is_short(rule.tool_name):
        fields["tool_name"] = "Name the tool that it is for."
    if fields:
        raise InvalidInput("The rule does not fit.", fields=fields)
    past = list(_past(project_id, rule.tool_name))
    hits = [
        one
        for one in past
        if conditions.hold(_facts(one.session, one, one.created_at))
        and _may_decide(rule.verdict, one, by, ends=rule.seconds is not None)
    ]
    return Tried(rule.verdict, len(past), hits)


def _past(project_id: UUID, tool_name: str) -> Iterator[Approval]:
    decided = Approval.objects.filter(
        project_id=project_id,
        tool_name=tool_name,
        decided_how=DecidedBy.PERSON,
        decided_at__gte=Now() - LOOKED_BACK,
        status__in=[ApprovalStatus.APPROVED, ApprovalStatus.REJECTED],
    )
    yield from decided.select_related("session", "execution", "decided_by").order_by("-decided_at")[:LOOKED_AT]
