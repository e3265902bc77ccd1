"""What graphs ask people by themselves, in forms that Queenright did not make."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from langgraph.types import Interrupt

from agents import interrupts
from agents.errors import InvalidInput, NotFound
from agents.interrupts import Action, Form
from agents.lifecycle import Policy, Risk, WaitKind
from agents.models import AgentSession, Approval
from agents.services import approvals, policies, waits
from agents.services.policies import Ruled
from orchestrator.tools.registry import tool_named
from orchestrator.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Known:
    """What the registry knows of what would be called. `arguments`: as the tool would take them, not as a model wrote
    them: a text of digits must not pass for no number.
    """

    risk: Risk
    title: str
    schema: dict[str, Any]
    arguments: dict[str, Any]
    cost: Decimal = Decimal(0)
    policy: Policy = Policy.ASK


def ask_people(session: AgentSession, interrupt: Interrupt) -> list[Approval]:
    """Put all that an interrupt asks before people, each action by itself. The caller holds the session."""
    read = interrupts.read(interrupt.value, interrupt.response_schema)
    first = read.actions[0]
    question = waits.Question(
        interrupt_id=interrupt.id,
        kind=WaitKind.FOREIGN,
        key=interrupt.id,
        request={"form": read.form},
        subject="an approver",
        reason=f"it asks: {first.title}" if read.form is Form.OPEN else f"it wants to call {first.tool}",
    )
    asked = [_request(session, read.form, place, action) for place, action in enumerate(read.actions)]
    return approvals.request(session, question, *asked)


def _request(session: AgentSession, form: Form, place: int, action: Action) -> approvals.Request:
    known = _known(action)
    ruled = _ruled(session, action, known) if action.tool else Ruled(Policy.ASK)
    return approvals.Request(
        kind=WaitKind.FOREIGN,
        title=known.title,
        tool_name=action.tool,
        risk=known.risk,
        intent=action.description,
        proposed=action.arguments,
        taken=known.arguments,
        allowed=action.allowed,
        schema=action.schema or known.schema,
        form=form,
        place=place,
        may_change_tool=action.may_change_tool,
        ruled=ruled.policy,
        refusal=policies.refusal(session.project_id, ruled.rule, ruled.version),
        terms=policies.terms(session.project_id, ruled.rule, ruled.version),
        policy_rule=ruled.rule,
        policy_version=ruled.version,
    )


def _ruled(session: AgentSession, action: Action, known: Known) -> Ruled:
    """What the policy says of a call that a graph asks about: it is asked unless a rule says otherwise.

    About a tool that is refused anyway nobody is asked.
    """
    facts = policies.call_now(session, action.tool, known.risk, known.arguments, known.cost)
    return policies.ruled(session.project_id, facts, known.policy)


def _known(action: Action) -> Known:
    """A question alone does no harm; a call of which nothing is known may do any."""
    if not action.tool:
        return Known(Risk.LOW, action.title, {}, action.arguments)
    try:
        tool = tool_named(action.tool)
    except NotFound:
        return Known(Risk.HIGH, action.title, {}, action.arguments)
    usual = Policy.REFUSE if tool.policy is Policy.REFUSE else Policy.ASK
    return Known(tool.risk, tool.title, tool.schema(), *_taken(tool, action.arguments), usual)


def _taken(tool: Tool[Any], arguments: dict[str, Any]) -> tuple[dict[str, Any], Decimal]:
    try:
        parsed = tool.parse(arguments)
    except InvalidInput:
        return arguments, Decimal(0)
    return parsed.model_dump(mode="json"), tool.cost(parsed)
