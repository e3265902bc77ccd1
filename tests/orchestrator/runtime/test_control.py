"""Controlled agents at work: what they are told reaches their steps, and a retry begins where it was asked to."""

import pytest

from agents.actor import SYSTEM
from agents.graphs.instructions import heeding
from agents.lifecycle import SessionStatus, WaitKind
from agents.models import AgentSession, AgentState, Approval, SessionLease, User
from agents.roles import Level
from agents.services import control, decisions, subtrees
from agents.services.conclusions import Decision
from orchestrator.runtime import agent_types as kinds
from orchestrator.runtime import runner
from tests import agent_types
from tests.factories import make_user
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_runner import Death, effects, expire, fresh

HEARD: list[tuple[str, list[str]]] = []
DYING: list[str] = []


class Hearing(agent_types.State, total=False):
    instructions: list[str]


def note(state: Hearing, runtime: agent_types.Context) -> Hearing:
    HEARD.append(("note", state.get("instructions", [])))
    if DYING:
        DYING.pop()
        raise Death
    return {"steps": ["note"]}


def ask(state: Hearing, runtime: agent_types.Context) -> Hearing:
    HEARD.append(("ask", state.get("instructions", [])))
    done = runtime.context.tools.call(
        "ask_to_trace", {"name": " ".join(state.get("instructions", [])) or "nothing"}, key="use", intent="I must"
    )
    return {"steps": ["ask"], "result": done}


@pytest.fixture
def hearing(mission, monkeypatch):
    """A worker with two steps that heed what it is told."""
    HEARD.clear()
    from langgraph.graph import END, START, StateGraph

    from agents.graphs.ports import AgentContext

    graph = StateGraph(Hearing, context_schema=AgentContext)
    graph.add_node("note", heeding(note))
    graph.add_node("ask", heeding(ask))
    graph.add_edge(START, "note")
    graph.add_edge("note", "ask")
    graph.add_edge("ask", END)
    compiled = graph.compile(checkpointer=kinds.graph_for("test.worker").checkpointer)
    monkeypatch.setattr(runner, "graph_for", lambda name: compiled)
    return mission("test.worker")


def test_a_message_is_read_at_the_next_step_and_kept_for_those_after_it(hearing):
    control.tell(hearing.pk, "Mind the bees", by=make_user())
    runner.run_next(Level.WORKER)
    assert HEARD == [("note", ["Mind the bees"]), ("ask", ["Mind the bees"])]
    assert fresh(hearing).messages.get(message_type="human").read_at is not None


def test_a_message_to_an_agent_that_waits_does_not_change_the_step_that_waits(hearing, trace):
    runner.run_next(Level.WORKER)
    control.tell(hearing.pk, "Mind the bees", by=make_user())
    decisions.decide(
        Approval.objects.get().pk, Decision("approve"), by=User.objects.get(memberships__role="admin"), version=1
    )
    run_all()
    assert fresh(hearing).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["nothing"]
    assert HEARD[-1] == ("ask", [])


def test_a_step_that_is_redone_after_a_death_reads_the_same(hearing):
    control.tell(hearing.pk, "Mind the bees", by=make_user())
    DYING.append("note")
    with pytest.raises(Death):
        runner.run_next(Level.WORKER)
    control.tell(hearing.pk, "And the honey", by=make_user())
    expire()
    runner.run_next(Level.WORKER)
    assert HEARD[0] == HEARD[1] == ("note", ["Mind the bees"])
    assert HEARD[2][0] == "ask"
    assert "And the honey" in HEARD[2][1]


def test_a_retry_from_the_start_begins_with_the_first_input_and_repeats_no_effect(mission, trace, monkeypatch):
    root = mission(below=(1, 1, 2))
    real = agent_types.leave_trace

    def fails_for_the_second(caller, arguments):
        if arguments.name == "q.0.0.1":
            raise RuntimeError("no")
        return real(caller, arguments)

    from tests.orchestrator.runtime.conftest import run_tool

    with monkeypatch.context() as patched:
        run_tool(patched, "leave_trace", fails_for_the_second)
        run_all()
    subtrees.cancel(root.pk, actor=SYSTEM, reason="")
    AgentSession.objects.filter(pk=root.pk).update(status="failed")
    control.retry(root.pk, actor=SYSTEM, from_start=True)
    assert not AgentState.objects.filter(session=root, is_current=True).exists()
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run.command) == (SessionStatus.SUCCEEDED, "restart")
    assert AgentState.objects.filter(session=root, checkpoint_ns="", is_current=True).count() == 1
    assert effects(trace) == ["q.0.0.0", "q.0.0.1"]


def test_a_stopped_agent_that_waited_for_a_person_asks_again_when_it_is_retried(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    subtrees.cancel(root.pk, actor=SYSTEM, reason="enough")
    control.retry(root.pk, actor=SYSTEM)
    run_all()
    old, new = Approval.objects.order_by("position")
    assert (old.status, new.status, new.kind) == ("withdrawn", "pending", WaitKind.APPROVAL)
    decisions.decide(new.pk, Decision("approve"), by=User.objects.get(memberships__role="admin"), version=1)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]


def test_a_stopped_tree_is_retried_whole_and_nobody_does_his_work_twice(mission, trace):
    root = mission(below=(2, 1, 2))
    runner.run_next(Level.QUEEN)
    for level in (Level.ARCHITECT, Level.ARCHITECT, Level.SPECIALIST, Level.SPECIALIST, Level.WORKER):
        runner.run_next(level)
    before = AgentSession.objects.count()
    subtrees.cancel(root.pk, actor=SYSTEM, reason="enough")
    assert not AgentSession.objects.active().exists()
    assert not SessionLease.objects.exists()
    subtrees.retry(root.pk, actor=SYSTEM)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert AgentSession.objects.count() == before
    assert effects(trace) == sorted(f"q.{a}.0.{c}" for a in range(2) for c in range(2))


def test_a_paused_tree_goes_on_and_ends(mission, trace):
    root = mission(below=(1, 1, 1))
    runner.run_next(Level.QUEEN)
    subtrees.pause(root.pk, actor=SYSTEM, reason="look")
    assert run_all() == 0
    subtrees.resume(root.pk, actor=SYSTEM)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q.0.0.0"]
