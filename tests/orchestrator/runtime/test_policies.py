"""Policies and rules where agents run: what a project says of a call happens, once, and the agent hears of it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from langgraph.types import Interrupt, interrupt

from agents.lifecycle import ApprovalStatus, DecidedBy, Policy, RuleVerdict, SessionStatus
from agents.models import AgentSession, Approval, PolicyVersion, Project, ToolExecution
from agents.policies.policy import Terms
from agents.roles import Level, Role
from agents.services import attention, policies, rules, sessions
from agents.services.rules import Rule
from orchestrator.actions import approvals as desk
from orchestrator.actions import events
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.foreign import ask_people
from orchestrator.tools import registry
from orchestrator.tools.registry import tool_named
from orchestrator.tools.tool import Arguments
from tests.agent_types import Context, State, line
from tests.factories import make_member
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_guard import decide, die_in, pending
from tests.orchestrator.runtime.test_langchain_tools import agent, said
from tests.orchestrator.runtime.test_runner import effects, fresh, run_to_death
from tests.scripted import calls

__all__ = ["agent"]  # a fixture


def put(project: Project, *given: dict[str, Any], terms: dict[str, Any] | None = None) -> PolicyVersion:
    """Put rules in force."""
    document = {"rules": [{"name": f"rule {place}", **one} for place, one in enumerate(given)], "terms": terms or {}}
    number = policies.in_force(project.pk).number
    return policies.save(project.pk, document, expected=number, note="", by=make_member(project))


def output(root: AgentSession) -> Any:
    ended = fresh(root)
    assert ended.status == SessionStatus.SUCCEEDED, ended.current_run.error
    return ended.current_run.output


def faults() -> list[str]:
    """What `manage.py events verify` finds."""
    return [str(fault) for fault in events.verification().faults()]


@pytest.mark.parametrize("tool", ["leave_trace", "ask_to_trace", "never_trace"])
@pytest.mark.parametrize("policy", Policy)
def test_a_policy_decides_whatever_the_tools_own_policy_is(mission, trace, tool, policy):
    root = mission("test.worker", tool=tool)
    put(root.project, {"policy": policy, "when": {"tools": ["*_trace"]}, "reason": "So it is."})
    run_all()
    if policy is Policy.ASK:
        assert fresh(root).status == SessionStatus.WAITING_APPROVAL
        assert effects(trace) == []
        decide(pending(), "approve")
        run_all()
    assert output(root) == ({"refused": "So it is."} if policy is Policy.REFUSE else {"name": "q"})
    assert effects(trace) == ([] if policy is Policy.REFUSE else ["q"])
    assert Approval.objects.count() == (policy is Policy.ASK)


def test_the_reason_of_a_refusal_reaches_the_agent_and_nobody_is_asked(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    put(root.project, {"policy": "refuse", "when": {"levels": ["worker"]}, "reason": "Workers leave no traces."})
    run_all()
    assert output(root) == {"refused": "Workers leave no traces."}
    row = ToolExecution.objects.get()
    assert (row.status, row.policy, row.policy_rule, row.policy_version) == ("refused", "refuse", "rule 0", 1)
    assert (effects(trace), Approval.objects.count()) == ([], 0)


def test_a_request_has_the_terms_of_its_policy(mission, trace):
    root = mission("test.worker", tool="leave_trace")
    put(root.project, {"policy": "ask"}, terms={"role": "admin"})
    run_all()
    request = pending()
    assert (request.policy_rule, request.policy_version, request.assigned_role) == ("rule 0", 1, Role.ADMIN)


WHEN = [
    ({"arguments": [{"at": "name", "comparison": "like", "value": "q*"}]}, True),
    ({"arguments": [{"at": "name", "comparison": "one_of", "value": ["a", "b"]}]}, False),
    ({"cost_at_least": "2"}, True),
    ({"cost_at_least": "2.01"}, False),
    ({"levels": ["worker"], "agents": ["test.*"], "risks": ["medium"]}, True),
    ({"levels": ["queen"]}, False),
    ({"agents": ["bank.*"]}, False),
    ({"risks": ["high"]}, False),
    ({"hours": {"since": "00:00", "until": "00:00"}}, True),
]


@pytest.mark.parametrize(("when", "holds"), WHEN, ids=lambda one: str(one)[:60])
def test_arguments_cost_level_agent_and_risk_of_a_real_call_count(mission, trace, monkeypatch, when, holds):
    dear = replace(tool_named("leave_trace"), cost=lambda arguments: Decimal(len(arguments.name) * 2))
    monkeypatch.setitem(registry._TOOLS, "leave_trace", dear)
    root = mission("test.worker", tool="leave_trace")
    put(root.project, {"policy": "refuse", "when": when})
    run_all()
    assert ("refused" in output(root)) is holds
    assert ToolExecution.objects.get().cost_estimate == 2


def test_the_hour_counts_by_the_databases_clock(mission, trace):
    at = policies.now()
    day = at.strftime("%a").lower()
    other = next(
        one for one in ("mon", "wed", "fri") if one not in (day, (at - timedelta(days=1)).strftime("%a").lower())
    )
    for days, holds in (([day], True), ([other], False)):
        root = mission("test.worker", tool="leave_trace")
        put(root.project, {"policy": "refuse", "when": {"hours": {"days": days}}})
        run_all()
        assert ("refused" in output(root)) is holds


def test_the_first_rule_that_holds_decides_of_a_real_call(mission, trace):
    root = mission("test.three", tool="leave_trace")
    last = {"at": "name", "comparison": "equals", "value": "q-2"}
    put(
        root.project,
        {"policy": "run", "when": {"arguments": [{**last, "value": "q-0"}]}},
        {"policy": "refuse", "when": {"arguments": [{**last, "comparison": "differs"}]}, "reason": "Second."},
        {"policy": "refuse", "reason": "Third."},
    )
    run_all()
    assert output(root)["done"] == [{"name": "q-0"}, {"refused": "Second."}, {"refused": "Third."}]


@pytest.mark.parametrize("later", ["run", "refuse"])
def test_a_ruling_outlives_a_replay_and_a_later_version(mission, trace, later):
    """A call that asks goes on asking, on the terms of its version, when the node runs again under another one."""
    root = mission("test.three", tool="leave_trace")
    put(root.project, {"policy": "ask", "terms": {"role": "admin", "not_own": True}})
    run_all()
    put(root.project, {"policy": later, "reason": "Later."})
    decide(pending(), "approve")
    run_all()
    done = output(root)["done"]
    after = {"name": "q-1"} if later == "run" else {"refused": "Later."}
    assert (done[0], done[1]) == ({"name": "q-0"}, after)
    rows = ToolExecution.objects.order_by("call_key")
    assert [(one.policy, one.policy_version) for one in rows] == [("ask", 1), (later, 2), (later, 2)]
    assert Approval.objects.count() == 1
    assert Terms.model_validate(Approval.objects.get().terms).not_own


def test_a_ruling_outlives_the_death_of_its_worker(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    put(root.project, {"policy": "run"})
    with monkeypatch.context() as patched:
        die_in(patched, "trace_again", after=False)
        run_to_death()
    put(root.project, {"policy": "refuse"})
    run_all()
    assert (output(root), ToolExecution.objects.get().policy_version) == ({"name": "q"}, 1)


def test_a_refusal_stays_the_one_that_was_told(mission, trace):
    root = mission("test.three", tool="ask_to_trace")
    is_first = {"arguments": [{"at": "name", "comparison": "equals", "value": "q-0"}]}
    put(root.project, {"policy": "refuse", "when": is_first, "reason": "At first."})
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL  # of the second call
    put(root.project, {"policy": "run"})
    decide(pending(), "approve")
    run_all()
    assert output(root)["done"] == [{"refused": "At first."}, {"name": "q-1"}, {"name": "q-2"}]
    assert effects(trace) == ["q-1", "q-2"]


def test_a_call_that_several_must_approve_runs_after_the_last_of_them(mission, trace):
    root = mission("test.worker", tool="leave_trace")
    put(root.project, {"policy": "ask", "terms": {"people": 2}})
    run_all()
    assert decide(pending(), "approve").status == ApprovalStatus.PENDING
    run_all()
    assert effects(trace) == []
    decide(pending(), "approve")
    run_all()
    assert effects(trace) == ["q"]
    assert faults() == []


def test_tools_of_langchain_follow_policies_too(agent, trace):
    root = agent(calls(*(("write_line", {"name": name}) for name in ("a", "b", "c"))))
    by_name = {"at": "name", "comparison": "equals"}
    put(
        root.project,
        {"policy": "refuse", "when": {"arguments": [{**by_name, "value": "a"}]}, "reason": "No a."},
        {"policy": "ask", "when": {"tools": ["write_*"], "arguments": [{**by_name, "value": "b"}]}},
    )
    run_all()
    assert effects(trace) == ["c"]
    decide(pending(), "approve")
    run_all()
    assert effects(trace) == ["b", "c"]
    assert said(root) == ["I will", "This call was refused: No a.", "wrote b", "wrote c", "done"]


def test_a_tool_of_langchain_that_asks_runs_by_policy(agent, trace):
    root = agent(calls(("write_line", {"name": "a"})), policy=Policy.ASK)
    put(root.project, {"policy": "run", "when": {"agents": ["test.langchain"]}})
    run_all()
    assert (effects(trace), Approval.objects.count()) == (["a"], 0)
    assert said(root)[1] == "wrote a"


def approve_small(project: Project, verdict: RuleVerdict = RuleVerdict.APPROVE, **changes: Any):
    reason = "Too many traces." if verdict is RuleVerdict.REJECT else ""
    known = {"tool_name": "ask_to_trace", "name": "always", "conditions": {}, "reason": reason}
    return rules.make(project.pk, Rule(**{**known, "verdict": verdict, **changes}), by=make_member(project))


def test_a_rule_lets_an_agent_go_on_without_a_person(mission, trace):
    root = mission("test.three", tool="ask_to_trace")
    last = {"arguments": [{"at": "name", "comparison": "differs", "value": "q-2"}]}
    rule = approve_small(root.project, conditions=last)
    run_all()
    assert effects(trace) == ["q-0", "q-1"]
    assert pending().proposed == {"name": "q-2"}
    rule.refresh_from_db()
    assert rule.hits == 2
    decide(pending(), "approve")
    run_all()
    assert output(root)["done"] == [{"name": f"q-{number}"} for number in range(3)]
    assert faults() == []


def test_a_rule_that_rejects_is_told_to_the_agent(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    approve_small(root.project, RuleVerdict.REJECT)
    run_all()
    assert output(root) == {"refused": "Too many traces."}
    assert faults() == []


def test_a_rule_decides_for_agents_that_ask_at_once(mission, trace):
    root = mission("test.fan", tool="ask_to_trace")
    rule = approve_small(root.project)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert len(effects(trace)) == 6
    rule.refresh_from_db()
    assert rule.hits == 6


def ask_openly(state: State, runtime: Context) -> State:
    """Asks by itself, in the form of the Agent Inbox."""
    config = {"allow_accept": True, "allow_ignore": True, "allow_respond": False, "allow_edit": False}
    request = {"action_request": {"action": state["tool"], "args": {"name": state["name"]}}, "config": config}
    return {"steps": ["asked"], "result": {"told": interrupt([request])}}


@pytest.fixture
def asker(mission, own_types):
    """A graph of others that asks before it calls."""
    agent_types.register(AgentType("test.asker", Level.WORKER, lambda: line(ask_openly)))
    return mission


@pytest.mark.parametrize(("policy", "told"), [("run", "accept"), ("refuse", "ignore")])
def test_what_a_graph_asks_by_itself_is_decided_by_policy(asker, policy, told):
    root = asker("test.asker", tool="leave_trace")
    put(root.project, {"policy": policy, "when": {"tools": ["leave_trace"]}, "reason": "So it is."})
    run_all()
    assert output(root)["told"][0]["type"] == told
    request = Approval.objects.get()
    assert (request.decided_how, request.policy_rule, request.policy_version) == (DecidedBy.POLICY, "rule 0", 1)
    assert faults() == []


class Pay(Arguments):
    """What a payment takes."""

    cents: int
    to: str = "anybody"


def ask_to_pay(root: AgentSession, interrupt_id: str, **arguments: Any) -> Approval:
    """A graph of others asks whether it may pay."""
    config = {"allow_accept": True, "allow_ignore": True, "allow_respond": False, "allow_edit": True}
    asked = {"action_request": {"action": "pay", "args": arguments}, "config": config}
    with transaction.atomic():
        (approval,) = ask_people(sessions.lock(root.pk), Interrupt(value=asked, id=interrupt_id))
    return approval


MUCH = {"at": "cents", "comparison": "more_than", "value": 1000}


@pytest.fixture
def payer(mission, trace, monkeypatch):
    """An agent that may pay."""
    monkeypatch.setitem(registry._TOOLS, "pay", replace(tool_named("leave_trace"), name="pay", arguments=Pay))
    return mission("test.worker", tool="leave_trace")


@pytest.mark.parametrize("cents", [250_000, "250000", 250_000.0])
def test_what_a_graph_asks_for_is_judged_by_rules_as_its_tool_would_take_it(payer, cents):
    approve_small(payer.project, RuleVerdict.REJECT, tool_name="pay", conditions={"arguments": [MUCH]})
    approve_small(payer.project, tool_name="pay")
    assert ask_to_pay(payer, "i1", cents=cents).status == ApprovalStatus.REJECTED
    assert ask_to_pay(payer, "i2", cents=5).status == ApprovalStatus.APPROVED


@pytest.mark.parametrize("cents", [250_000, "250000", 250_000.0])
def test_what_a_graph_asks_for_is_judged_by_policy_as_its_tool_would_take_it(payer, cents):
    anybody = {"at": "to", "comparison": "equals", "value": "anybody"}
    put(
        payer.project,
        {"policy": "ask", "when": {"arguments": [MUCH, anybody]}, "terms": {"people": 2}},
        {"policy": "ask", "when": {"arguments": [{**MUCH, "value": 10}]}},
        {"policy": "run"},
    )
    assert ask_to_pay(payer, "i1", cents=5).status == ApprovalStatus.APPROVED
    asked = ask_to_pay(payer, "i2", cents=cents)
    assert (asked.status, asked.people) == (ApprovalStatus.PENDING, 2)
    small = ask_to_pay(payer, "i3", cents=50)
    assert small.people == 1
    ada = make_member(payer.project, Role.APPROVER)
    edited = desk.decide(ada, small.pk, verdict="approve", version=1, arguments={"cents": int(cents)})
    assert edited.status == ApprovalStatus.PENDING


def test_what_a_graph_asks_by_itself_is_decided_by_a_rule(asker):
    root = asker("test.asker", tool="leave_trace")
    approve_small(root.project, tool_name="leave_trace")
    run_all()
    assert output(root)["told"][0]["type"] == "accept"
    assert Approval.objects.get().decided_how == DecidedBy.RULE
    assert faults() == []


@pytest.mark.parametrize(
    ("at_deadline", "done"), [("reject", {"refused": attention.NOBODY}), ("approve", {"name": "q"})]
)
def test_a_deadline_decides_as_its_policy_says(mission, trace, at_deadline, done):
    root = mission("test.worker", tool="leave_trace")
    terms = {"deadline": 60, "at_deadline": at_deadline}
    put(root.project, {"policy": "ask", "when": {"risks": ["medium"]}, "terms": terms})
    run_all()
    Approval.objects.update(next_step_at=Now() - timedelta(seconds=1))
    (due,) = attention.due()
    attention.attend(due)
    run_all()
    assert output(root) == done
    assert Approval.objects.get().decided_how == DecidedBy.DEADLINE
    assert faults() == []
