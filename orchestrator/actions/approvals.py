"""Deciding what agents ask."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction

from agents import access, interrupts
from agents.actor import Actor, person
from agents.errors import AlreadyDecided, DomainError, Forbidden, InvalidInput, NotFound, StaleVersion
from agents.events import causes
from agents.events.digests import json_digest
from agents.interrupts import Form
from agents.lifecycle import ApprovalStatus, Policy, Risk, WaitKind
from agents.models import Approval, User
from agents.outcomes import Decided, DecisionOutcome
from agents.policies.policy import Terms
from agents.roles import Role
from agents.services import (
    attention,
    budgets,
    control,
    deciders,
    decisions,
    escalations,
    policies,
    requests,
    subtrees,
    viewing,
)
from agents.services.conclusions import Decision, check_storable
from agents.storable import is_same
from orchestrator import dispatch
from orchestrator.runtime.agent_types import agent_type
from orchestrator.runtime.guard import caller_of
from orchestrator.tools.registry import tool_named
from orchestrator.tools.tool import Tool

MOST_AT_ONCE = 500  # requests that are decided by one press
TOGETHER = 100  # of them in a transaction: as long as other people and agents may wait for it


@causes.act()
def decide(
    user: User,
    approval_id: UUID,
    *,
    verdict: str,
    version: int,
    arguments: dict[str, Any] | None = None,
    reason: str = "",
    tool: str = "",
    answer: Any = None,
    key: str = "",
) -> Approval:
    """Decide a request. `arguments` are the edited ones, None for those proposed; `version` is the one that was seen.

    `tool`: to be called in place of the one that was asked for; `answer`: to an open question. `key` names the press
    of a button: the same decision with it again changes nothing.
    Raises NotFound or Forbidden, InvalidInput with a message for each bad field, AlreadyDecided when somebody was
    first, StaleVersion when the request has changed.
    """
    approval = access.approval_for(user, approval_id, role=Role.APPROVER)
    _check_given(approval, verdict, arguments, answer)
    given = Decision(verdict, arguments, reason.strip(), tool, answer, key)
    check_storable(given)
    press = _press(key, verdict, arguments, reason, tool, answer)
    if press and decisions.was_pressed(approval_id, press, by=user):
        return approval
    decision = replace(given, key=press)
    if approval.kind == WaitKind.BUDGET:
        return _decide_budget(user, approval, decision, version)
    if approval.kind == WaitKind.REPLY:
        return _advise(user, approval, decision, version)
    terms = None
    if verdict == "approve" and approval.kind != WaitKind.UNCERTAIN:
        decision, terms = _checked(approval, decision)
    return decisions.decide(approval_id, decision, by=user, version=version, terms=terms)


def decide_many(
    user: User, wanted: Sequence[tuple[UUID, int]], *, verdict: str, reason: str = "", key: str = ""
) -> list[DecisionOutcome]:
    """Decide many requests alike, each by itself, as they were proposed; what became of each, in their order.

    `wanted`: their ids with the versions that were seen. What stops one stops no other. Raises InvalidInput for more
    than `MOST_AT_ONCE`, and for a verdict that is not for many.
    """
    if not 0 < len(wanted) <= MOST_AT_ONCE:
        raise InvalidInput(f"Choose 1 to {MOST_AT_ONCE} requests.")
    if verdict not in (interrupts.APPROVE, interrupts.REJECT):
        raise InvalidInput("Many requests at once can be approved or rejected.")
    if verdict == interrupts.REJECT and not reason.strip():
        raise InvalidInput(fields={"reason": "Say why, in a sentence: the agents read it."})
    check_storable(Decision(verdict, reason=reason, key=key))
    versions = dict(wanted)
    outcomes: dict[UUID, DecisionOutcome] = {}
    remaining = iter(versions.items())
    with dispatch.held():
        while some := dict(islice(remaining, TOGETHER)):
            outcomes |= _decide_some(user, some, verdict, reason, key)
    return [outcomes[pk] for pk in versions]


def _decide_some(
    user: User, versions: Mapping[UUID, int], verdict: str, reason: str, key: str
) -> dict[UUID, DecisionOutcome]:
    """Decide those together that stand in nobody's way, the others one by one."""
    theirs = Approval.objects.filter(project__in=access.projects_for(user), pk__in=versions)
    asked = {one.pk: one for one in theirs.select_related("session", "execution")}
    plain: dict[UUID, tuple[Decision, int]] = {}
    for pk, approval in asked.items():
        decision = Decision(verdict, None, reason.strip(), key=_press(key, verdict, None, reason, "", None))
        with contextlib.suppress(DomainError):  # what it is, is said when it is decided by itself
            plain[pk] = (_as_proposed(approval, decision), versions[pk])
    together = decisions.decide_together(plain, by=user)
    done = {one.pk: DecisionOutcome(one.pk, one.title, Decided.DONE) for one in together}
    decision_of = {"verdict": verdict, "reason": reason, "key": key}
    for pk in versions.keys() - done.keys():
        title = asked[pk].title if pk in asked else "A request"
        done[pk] = _outcome(user, pk, title, version=versions[pk], **decision_of)
    return done


def _as_proposed(approval: Approval, decision: Decision) -> Decision:
    """The decision, if it can be made for many at once. Raises what is wrong with it, or InvalidInput."""
    if approval.kind in (WaitKind.BUDGET, WaitKind.REPLY):
        raise InvalidInput("More than a decision follows from this.")
    if decision.verdict != interrupts.APPROVE or approval.kind == WaitKind.UNCERTAIN:
        return decision
    decision, changed = _checked(approval, decision)
    if changed is not None:
        raise InvalidInput("It is not what was proposed any more.")
    return decision


def _outcome(user: User, approval_id: UUID, title: str, **decision: Any) -> DecisionOutcome:
    try:
        decided = decide(user, approval_id, **decision)
    except AlreadyDecided as error:
        return DecisionOutcome(approval_id, title, Decided.TAKEN, str(error))
    except StaleVersion as error:
        return DecisionOutcome(approval_id, title, Decided.CHANGED, str(error))
    except DomainError as error:
        words = " ".join(error.data.get("fields", {}).values()) or str(error)
        return DecisionOutcome(approval_id, title, Decided.REFUSED, words)
    is_open = decided.status == ApprovalStatus.PENDING
    return DecisionOutcome(approval_id, title, Decided.COUNTED if is_open else Decided.DONE)


def _press(key: str, *pressed: Any) -> str:
    """The name of a press of a button: the same key with another decision is another one."""
    return json_digest([key, *pressed]) if key else ""


def see(user: User, approval: Approval) -> None:
    """A person who may see a request looks at it."""
    viewing.see(approval, user)


def others(user: User, approval: Approval) -> list[User]:
    """Who else looks at a request now."""
    return [one for one in viewing.looking(approval) if one.pk != user.pk]


def claim_next(user: User, project_id: UUID, wanted: Sequence[UUID]) -> UUID | None:
    """The first of these requests of a project that nobody else is about to decide; it is claimed for two minutes.

    Raises NotFound, Forbidden.
    """
    access.project_for(user, project_id, role=Role.APPROVER)
    return viewing.claim_next(wanted, user)


def obstacle(user: User, approval: Approval) -> str:
    """Why a person may not decide an open request; empty if nothing stands in the way."""
    return deciders.obstacle(approval, Terms.model_validate(approval.terms), user)


@causes.act()
def undo(user: User, approval_id: UUID) -> Approval:
    """Take a decision of one's own back before the agent is told. Raises NotFound, Forbidden, TooLate."""
    access.approval_for(user, approval_id, role=Role.APPROVER)
    return decisions.undo(approval_id, by=user)


@causes.act()
def assign(user: User, approval_id: UUID, *, role: str, to: UUID | None) -> Approval:
    """Say for whom an open request is. Raises NotFound, Forbidden, InvalidInput, InvalidTransition."""
    access.approval_for(user, approval_id, role=Role.APPROVER)
    person_of = User.objects.filter(pk=to).first() if to else None
    if to and person_of is None:
        raise InvalidInput(fields={"to": "There is no such person."})
    if role not in set(Role):
        raise InvalidInput(fields={"role": "There is no such role."})
    return attention.assign(approval_id, role=Role(role), to=person_of, by=user)


def _check_given(approval: Approval, verdict: str, arguments: dict[str, Any] | None, answer: Any) -> None:
    """Raise InvalidInput for what would not count: arguments of a question, an answer to a call, no answer at all."""
    is_open = approval.form == Form.OPEN
    if is_open and arguments is not None:
        raise InvalidInput(fields={"arguments": "This is a question: give an answer."})
    if not is_open and answer is not None:
        raise InvalidInput(fields={"answer": "This is no question: it takes arguments."})
    if is_open and answer is None and verdict == interrupts.RESPOND and not approval.schema:
        raise InvalidInput(fields={"answer": "Give an answer."})


def _checked(approval: Approval, decision: Decision) -> tuple[Decision, Terms | None]:
    """The decision with its effective arguments, held against schema, world and policy once more.

    With what the policy says of how such a call is to be decided, where it was edited.
    """
    if approval.form == Form.OPEN:
        return decision, None
    name = decision.tool or approval.tool_name
    tool = _tool(name)
    if name != approval.tool_name and not _has(approval, name, tool):
        raise InvalidInput(fields={"": f"The agent has no tool “{name}”."})
    given = approval.proposed if decision.arguments is None else decision.arguments
    if not isinstance(given, dict):
        raise InvalidInput(fields={"": "The arguments must be an object."})
    cost, taken = Decimal(0), given  # as the tool takes them, which may not be as they are written
    if approval.execution is not None and not approval.form and tool is not None:
        parsed = tool.check(caller_of(approval.session, approval.execution), given)
        given = taken = parsed.model_dump(mode="json")
        cost = tool.cost(parsed)
    elif tool is not None and (decision.arguments is not None or name != approval.tool_name):
        parsed = tool.parse(given)
        taken, cost = parsed.model_dump(mode="json"), tool.cost(parsed)
    is_edited = not is_same(given, approval.proposed) or name != approval.tool_name
    checked = replace(decision, arguments=given)
    return checked, _ruled(approval, tool, name, taken, cost) if is_edited else None


def _tool(name: str) -> Tool[Any] | None:
    try:
        return tool_named(name)
    except NotFound:
        return None


def tools_in_place(approval: Approval) -> frozenset[str]:
    """The tools that the agent of a request is known to have, of which one may be called in place of another."""
    if not approval.may_change_tool:
        return frozenset()
    try:
        return agent_type(approval.session.agent_type).tools or frozenset()
    except NotFound:
        return frozenset()


def _has(approval: Approval, name: str, tool: Tool[Any] | None) -> bool:
    """Could the agent call that tool? Only the first form of inbox asks for what need not be a tool."""
    known = tools_in_place(approval)
    if known and approval.form == Form.BATCH:
        return name in known
    return tool is not None or approval.form == Form.INBOX


def _ruled(approval: Approval, tool: Tool[Any] | None, name: str, given: dict[str, Any], cost: Decimal) -> Terms:
    """How a call that a person changed is to be decided. Raises Forbidden where the policy refuses it."""
    risk = tool.risk if tool else Risk(approval.risk)
    facts = policies.call_now(approval.session, name, risk, given, cost)
    ruled = policies.ruled(approval.project_id, facts, tool.policy if tool else Policy.ASK)
    if ruled.policy is Policy.REFUSE:
        raise Forbidden(policies.refusal(approval.project_id, ruled.rule, ruled.version))
    return policies.terms(approval.project_id, ruled.rule, ruled.version)


@transaction.atomic
def _advise(user: User, approval: Approval, decision: Decision, version: int) -> Approval:
    """Answer what no level of agents could answer."""
    if decision.verdict == "approve":
        decision = replace(decision, arguments=escalations.check(decision.arguments))
    decided = decisions.decide(approval.pk, decision, by=user, version=version)
    requests.decided(decided, actor=person(user.pk))
    return decided


@transaction.atomic
def _decide_budget(user: User, approval: Approval, decision: Decision, version: int) -> Approval:
    """Raise a budget and let go on who waits for it, or stop whom it holds."""
    actor = person(user.pk)
    if decision.verdict != "approve":
        decided = decisions.decide(approval.pk, decision, by=user, version=version)
        control.cancel(approval.session_id, actor=actor, reason=decision.reason)
        transaction.on_commit(  # whom it does not reach, the sweeper stops: they work for nobody
            lambda: _stop_below(approval.session_id, actor, decision.reason), robust=True
        )
        return decided
    given = approval.proposed if decision.arguments is None else decision.arguments
    limits = budgets.check(approval, given)
    decided = decisions.decide(approval.pk, decision, by=user, version=version)
    budgets.grant(decided, limits, actor=actor)
    return decided


def _stop_below(session_id: UUID, actor: Actor, reason: str) -> None:
    subtrees.cancel(session_id, actor=actor, reason=reason)
