"""Modes of durability: what a death costs in each, and that no tool call is made twice in any."""

import operator
from typing import Annotated, Any, TypedDict

import pytest
from django.core.exceptions import ImproperlyConfigured
from langgraph.channels import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from agents.errors import Fenced
from agents.lifecycle import Control, SessionStatus
from agents.models import AgentSession, AgentState, Approval, StateWrite, ToolExecution
from agents.roles import Level
from orchestrator.runtime import agent_types, runner
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.durability import AT_EXIT, Held, after
from orchestrator.runtime.leases import heart
from orchestrator.runtime.saving import HELD, LEASE, RunSaver
from orchestrator.runtime.states import AtRest
from tests.agents.checkpoints.checkpoints import config_for
from tests.agents.checkpoints.conftest import EnsureThread, ensure_thread, space_id  # noqa: F401  # fixtures
from tests.orchestrator.runtime import durable
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_guard import decide, pending
from tests.orchestrator.runtime.test_runner import effects, expire, fresh

WHOLE = ["draft", "refine", "use", "review"]
TOOL = {"tool": "leave_trace"}


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """The nodes that ran, in order, whoever ran them."""
    path = tmp_path / "steps"
    path.touch()
    monkeypatch.setenv(durable.STEPS, str(path))
    return lambda: path.read_text().splitlines()


def chain(session: AgentSession, ns: str = "") -> list[AgentState]:
    """Its states, oldest first; each but the first stands on the one before."""
    states = list(AgentState.objects.filter(session=session, checkpoint_ns=ns).order_by("checkpoint_id"))
    assert [one.parent_id for one in states] == [None, *(one.checkpoint_id for one in states[:-1])]
    return states


def step_numbers(session: AgentSession) -> list[int]:
    return [one.metadata["step"] for one in chain(session)]


@pytest.mark.parametrize(
    ("mode", "written"),
    [("step", [-1, 0, 1, 2, 3, 4]), ("nodes", [2, 4]), ("exit", [2, 4])],  # 2 is what the tool call came from
)
def test_each_mode_writes_its_states_and_ends_with_the_same(mission, trace, steps, mode, written):
    root = mission(f"durable.{mode}", **TOOL)
    run_all()
    assert steps() == WHOLE
    assert step_numbers(root) == written
    assert chain(root)[-1].is_current
    state = runner.graph_for(f"durable.{mode}").get_state(config_for(str(root.pk)))
    assert (state.values["steps"], state.tasks) == (WHOLE, ())
    assert fresh(root).current_run.output == {"name": state.values["name"]}


@pytest.mark.parametrize(
    ("mode", "node", "redone"),
    [
        ("step", "review", WHOLE[3:]),
        ("nodes", "refine", WHOLE),
        ("nodes", "review", WHOLE[2:]),
        ("exit", "refine", WHOLE),
        ("exit", "use", WHOLE[2:]),  # what a tool call came from is written in any mode
        ("exit", "review", WHOLE[2:]),
    ],
)
def test_a_kill_costs_the_steps_since_the_last_written_state(mission, trace, steps, mode, node, redone):
    root = mission(f"durable.{mode}", **TOOL)
    durable.die_in(node)
    before = WHOLE[: WHOLE.index(node) + 1]
    assert steps() == before
    expire()
    run_all()
    ended = fresh(root)
    assert ended.status == SessionStatus.SUCCEEDED, ended.current_run.error
    assert steps() == before + redone
    assert effects(trace) == [ended.current_run.output["name"]]
    assert ToolExecution.objects.count() == 1
    chain(root)


@pytest.mark.parametrize(("mode", "tool"), [("nodes", "mortal"), ("exit", "ask_mortal")])
def test_a_kill_in_a_tool_is_asked_about_and_its_effect_stays_the_only_one(mission, trace, steps, mode, tool):
    root = mission(f"durable.{mode}", tool=tool)
    if tool == "ask_mortal":
        run_all()
        decide(pending(), "approve")
    durable.die_in("tool")
    happened = effects(trace)
    assert len(happened) == 1
    expire()
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    assert pending().allowed == ["again", "done", "stop"]
    decide(pending(), "done")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED, fresh(root).current_run.error
    assert effects(trace) == happened
    assert steps().count("draft") == steps().count("refine") == 1


@pytest.mark.parametrize("mode", ["nodes", "exit"])
def test_a_question_is_written_before_anybody_is_asked(mission, trace, steps, mode):
    root = mission(f"durable.{mode}", tool="ask_to_trace")
    run_all()
    (question,) = StateWrite.objects.filter(session=root, channel="__interrupt__")
    assert question.checkpoint_id == chain(root)[-1].checkpoint_id
    wait = fresh(root).waits.get()
    decide(pending(), "approve")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert (fresh(root).waits.get().pk, Approval.objects.count()) == (wait.pk, 1)
    assert steps() == WHOLE


def test_a_kill_after_an_answer_asks_nobody_again(mission, trace, steps):
    root = mission("durable.exit", tool="ask_to_trace")
    run_all()
    decide(pending(), "approve")
    durable.die_in("use")
    expire()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert Approval.objects.count() == 1
    assert effects(trace) == [fresh(root).current_run.output["name"]]


def test_states_are_written_after_a_node_that_is_only_sent_to(mission, trace, steps):
    root = mission("durable.sends")
    durable.die_in("review")
    assert step_numbers(root) == [2]
    expire()
    run_all()
    assert sorted(steps()) == ["branch 0", "branch 1", "branch 2", "draft", "review", "review"]


@pytest.mark.parametrize("mode", ["nodes", "exit"])
def test_an_error_leaves_the_last_state_to_go_on_from(mission, trace, steps, monkeypatch, mode):
    root = mission(f"durable.{mode}", **TOOL)
    with monkeypatch.context() as patch:
        patch.delenv(durable.STEPS)
        run_all()
    assert fresh(root).status == SessionStatus.FAILED
    (state,) = chain(root)
    assert state.metadata["step"] == 0
    assert StateWrite.objects.filter(session=root, channel="__error__").count() == 1


def test_a_pause_keeps_what_was_done(mission, trace, steps, monkeypatch):
    root = mission("durable.exit", **TOOL)

    def pause(node: str) -> None:
        original(node)
        if node == "draft":
            AgentSession.objects.filter(pk=root.pk).update(control=Control.PAUSE)
            heart._beat(dict(heart._leases))

    original = durable.ran
    monkeypatch.setattr(durable, "ran", pause)
    runner.run_next(Level.WORKER)
    assert fresh(root).status == SessionStatus.PAUSED
    assert step_numbers(root) == [1]


def test_a_worker_that_was_overtaken_writes_nothing_of_what_it_held(mission, trace, steps, monkeypatch):
    root = mission("durable.exit", **TOOL)

    def overtaken(node: str) -> None:
        if node == "refine":
            AgentSession.objects.filter(pk=root.pk).update(attempt=9)

    monkeypatch.setattr(durable, "ran", overtaken)
    assert runner.run_next(Level.WORKER) is None
    assert not AgentState.objects.filter(session=root).exists()
    assert effects(trace) == []


@pytest.mark.parametrize("nodes", [("refin",), ("refine", "nobody", "anybody")])
def test_a_node_that_is_not_there_is_named_when_the_agent_is_declared(nodes):
    kind = AgentType("durable.wrong", Level.WORKER, durable.fanned, durability=after(*nodes))
    with pytest.raises(
        ImproperlyConfigured, match=rf"durable.wrong .* after .*{nodes[-1]}.* only branch, draft, review"
    ):
        agent_types.register(kind)
    assert "durable.wrong" not in agent_types._TYPES


class Told(TypedDict):
    done: Annotated[list[str], operator.add]
    notes: Annotated[list[str], DeltaChannel(lambda held, writes: [*held, *(one for w in writes for one in w)])]


def nested(saver: RunSaver):
    """A graph with a graph in it that asks, and a channel that is stored as its changes."""

    def says(name: str):
        return lambda state: {"done": [name], "notes": [name]}

    inner = StateGraph(Told)
    inner.add_node("think", says("think"))
    inner.add_node("ask", lambda state: {"done": [interrupt("may I?")]})
    inner.add_edge(START, "think")
    inner.add_edge("think", "ask")
    graph = StateGraph(Told)
    for name in ("one", "two", "four"):
        graph.add_node(name, says(name))
    graph.add_node("inner", inner.compile())
    for pair in [(START, "one"), ("one", "two"), ("two", "inner"), ("inner", "four"), ("four", END)]:
        graph.add_edge(*pair)
    return graph.compile(saver)


@pytest.mark.parametrize("nodes", [(), ("one",), ("two",), ("one", "four")])
def test_channels_of_changes_and_sub_graphs_are_held_whole(ensure_thread: EnsureThread, nodes):  # noqa: F811
    """In each mode the state, read by a saver that has seen nothing, is what it is when every step is written."""
    results = []
    for held_after in (None, nodes):
        saver = RunSaver(ensure_thread=ensure_thread)
        config = config_for()
        turns: list[Any] = [{"done": [], "notes": ["start"]}, Command(resume="yes")]
        for given in turns:
            held = None if held_after is None else Held(saver, frozenset(held_after))
            config["configurable"][HELD] = held
            nested(saver).invoke(given, config, durability="sync")
            if held is not None:
                held.write()
            found = nested(RunSaver()).get_state(config_for(config["configurable"]["thread_id"]), subgraphs=True)
            results.append((found.values, found.next, [one.value for one in found.interrupts]))
    assert results[:2] == results[2:]


def test_what_cannot_be_written_is_held_until_it_can(ensure_thread: EnsureThread):  # noqa: F811
    refused = [Fenced()]

    def fence(config) -> AtRest:
        assert LEASE not in config["configurable"]
        if refused:
            raise refused.pop()
        return AtRest()

    saver = RunSaver(ensure_thread=ensure_thread, fence=fence)
    held = Held(saver, AT_EXIT.nodes)
    config = config_for()
    config["configurable"][HELD] = held
    nested(saver).invoke({"done": [], "notes": []}, config, durability="sync")
    with pytest.raises(Fenced):
        held.write()
    assert not AgentState.objects.exists()
    held.write()
    asked = nested(RunSaver()).get_state(config_for(config["configurable"]["thread_id"]))
    assert [one.value for one in asked.interrupts] == ["may I?"]
