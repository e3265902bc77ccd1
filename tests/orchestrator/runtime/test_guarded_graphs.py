"""The tools of imported graphs: each goes through the guard, wherever in the graph it is called, and once."""

import asyncio
import time
from importlib import import_module
from typing import Any

import pytest
from django.db import connections
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, ToolRetryMiddleware
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBranch, RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from agents.errors import Resting
from agents.lifecycle import Policy, Risk, SessionStatus
from agents.models import AgentState, Approval, ToolExecution
from agents.models.states import ChannelVersion, StateValue, StateWrite
from agents.roles import Level
from agents.services import policies
from orchestrator.postgresql.base import DatabaseWrapper
from orchestrator.runtime import agent_types, tool_nodes
from orchestrator.runtime.guard import Guard
from orchestrator.tools import registry
from orchestrator.tools.langchain import imported
from tests.factories import make_member
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.imports import asked, decide, go_on, graph, told
from tests.orchestrator.runtime.test_runner import effects, fresh
from tests.orchestrator.test_events_command import events
from tests.scripted import calls

__all__ = ["graph"]


def test_calls_that_share_a_task_are_asked_one_after_the_other_and_no_answer_is_swapped(graph, trace):
    root = graph("bare", calls(("send", {"to": "ann"}), ("burn", {"to": "bob"}), ("send", {"to": "cid"})))
    run_all()
    for verdict, to in (("approve", "ann"), ("reject", "bob"), ("approve", "cid")):
        (approval,) = asked()
        assert approval.proposed["to"] == to
        decide(approval, verdict, reason="No")
        run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["send:ann", "send:cid"]
    assert told(root) == ["sent to ann", "This call was refused: No", "sent to cid"]


def test_what_stops_an_agent_is_not_told_to_its_model_as_a_tools_error(graph, trace, monkeypatch):
    """Its tool node turns every error into a message."""
    root = graph("bare", calls(("send", {"to": "ann"})))
    run = Guard.run

    def rest(self, *arguments, **given):
        monkeypatch.setattr(Guard, "run", run)
        raise Resting("It rests.", key="x", until=fresh(root).created_at)

    monkeypatch.setattr(Guard, "run", rest)
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_TIMER
    assert ToolExecution.objects.count() == 0


def test_a_tool_that_asks_by_itself_is_run_again_with_the_answer(graph, trace):
    registry.register(imported(registry_tool("ask_around"), policy=Policy.RUN))
    root = graph("tool_that_asks", calls(("ask_around", {"question": "Who?"}), ("ask_around", {"question": "When?"})))
    run_all()
    assert set(ToolExecution.objects.values_list("status", flat=True)) == {"pending"}
    assert events("verify")[0] == 0
    questions = {one.title: one for one in asked()}
    assert sorted(questions) == ["When?", "Who?"]
    decide(questions["When?"], "respond", answer="now")
    decide(questions["Who?"], "respond", answer="me")
    go_on()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert told(root) == ["they say me", "they say now"]
    assert sorted(trace.read_text().splitlines()) == ["asked:When?", "asked:Who?"]
    assert set(ToolExecution.objects.values_list("status", "tries")) == {("completed", 1)}


def registry_tool(name: str) -> Any:
    return getattr(import_module("letters"), name)


def test_a_tool_of_which_nothing_is_said_asks_and_one_of_which_something_is_does_not(graph, trace):
    known = registry.tool_named("send")
    assert (known.policy, known.risk, known.idempotent) == (Policy.ASK, Risk.HIGH, False)
    registry.register(imported(registry_tool("send"), policy=Policy.RUN, risk=Risk.LOW))
    root = graph("bare", calls(("send", {"to": "ann"})))
    run_all()
    assert (fresh(root).status, effects(trace)) == (SessionStatus.SUCCEEDED, ["send:ann"])


def test_about_a_tool_that_is_refused_anyway_nobody_is_asked(graph, trace):
    registry.register(imported(registry_tool("send"), policy=Policy.REFUSE))
    root = graph("batched", calls(("send", {"to": "ann"})))
    run_all()
    assert (fresh(root).status, effects(trace), asked()) == (SessionStatus.SUCCEEDED, [], [])
    assert "A policy refuses this tool." in told(root)[0]


def test_nothing_of_the_guard_is_in_a_state(graph, trace):
    root = graph("batched", calls(("send", {"to": "ann"})))
    run_all()
    decide(asked()[0], "approve")
    run_all()
    kept = [row for model in (AgentState, StateValue, ChannelVersion, StateWrite) for row in model.objects.values()]
    assert len(kept) > len(list(root.states.all())) > 3
    assert [row for row in kept if "guard" in str({name: plain(part) for name, part in row.items()}).lower()] == []


def plain(part: Any) -> Any:
    return bytes(part) if isinstance(part, memoryview) else part


class Kept:
    """Graphs are held by an object of the graph's own."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent

    def call(self, state: MessagesState) -> dict[str, Any]:
        return self.agent.invoke(state)

    def wait(self, state: MessagesState) -> dict[str, Any]:
        return asyncio.run(self.agent.ainvoke(state))


def around(node: Any) -> StateGraph:
    made = StateGraph(MessagesState)
    made.add_node("inner", node)
    made.add_edge(START, "inner")
    made.add_edge("inner", END)
    return made


def held_in(agents: dict[str, Any]) -> Any:
    return lambda state: next(agents[name] for name in ("one",)).invoke(state)


INNER = {
    "as a node": lambda agent: agent,
    "two levels down": lambda agent: around(agent).compile(),
    "named by a function": lambda agent: lambda state: agent.invoke(state),
    "in a dict": lambda agent: held_in({"one": agent}),
    "held by an object": lambda agent: Kept(agent).call,
    "in a sequence": lambda agent: (lambda state: state) | agent,
}


@pytest.mark.parametrize("where", INNER)
def test_the_tools_of_a_graph_within_a_graph_are_guarded(graph, trace, monkeypatch, where):
    lines = import_module("lines")
    middleware = [HumanInTheLoopMiddleware({"send": True}), ToolRetryMiddleware()]
    agent = create_agent(lines.MODEL, [lines.send, lines.burn], middleware=middleware)
    outer = around(INNER[where](agent))
    found = tool_nodes.tool_nodes(outer)
    assert [set(node.tools_by_name) for node in found] == [{"send", "burn"}]
    tool_nodes.guard(found[0])
    agent_types.register(agent_types.AgentType("graph.outer", Level.WORKER, lambda: outer))
    root = graph("outer", calls(("send", {"to": "ann"}), ("burn", {"to": "bob"})))
    run_all()
    first = asked()
    assert [(one.tool_name, one.form) for one in first] == [("send", "batch")]
    decide(first[0], "approve", arguments={"to": "eve"})
    run_all()
    (second,) = asked()
    assert (second.tool_name, second.kind) == ("burn", "approval")
    decide(second, "reject", reason="No")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED, fresh(root).current_run.error
    assert effects(trace) == ["send:eve"]


@tool
def wave(to: str) -> str:
    """Wave to somebody."""
    return to


class Callable:
    """A node that is an object; its class holds more."""

    __slots__ = ("node",)
    shared: Any = None

    def __init__(self, node: Any) -> None:
        self.node = node

    def __call__(self, state: MessagesState) -> dict[str, Any]:
        return self.node.invoke(state)


def by_default(node: Any) -> Any:
    return lambda state, node=node, *, other=None: node.invoke(state)


def by_name(node: Any) -> Any:
    return lambda state, *, node=node: node.invoke(state)


def of_a_class(node: Any) -> Any:
    holder = type("Holder", (), {"__module__": __name__, "node": node})
    return lambda state: holder().node.invoke(state)


def of_its_class(node: Any) -> Any:
    return type("Holder", (Callable,), {"__module__": __name__, "shared": node})(None)


PLACES = {
    "an object that is called": Callable,
    "an object within an object": lambda node: Kept(Kept(node)).call,
    "the class of an object": of_its_class,
    "a class": of_a_class,
    "a default": by_default,
    "a default by name": by_name,
    "its own method": lambda node: (lambda invoke: lambda state: invoke(state))(node.invoke),
    "a branch": lambda node: RunnableBranch((bool, node), RunnableLambda(lambda state: state)),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_tool_node_is_found_wherever_a_node_keeps_it(place):
    node = ToolNode([wave])
    assert tool_nodes.tool_nodes(around(PLACES[place](node))) == [node]
    assert tool_nodes.tool_nodes(around(around(PLACES[place](node)).compile())) == [node]


def test_a_tool_node_that_a_condition_calls_is_found():
    node = ToolNode([wave])
    made = around(lambda state: state)
    made.add_conditional_edges("inner", lambda state: [END, node.invoke(state)][0])
    assert tool_nodes.tool_nodes(made) == [node]
    assert tool_nodes.tool_nodes(around(made.compile())) == [node]


def test_a_graph_that_is_awaited_within_a_node_is_refused_its_tools(graph, trace):
    lines = import_module("lines")
    agent = create_agent(lines.MODEL, [lines.send], middleware=[HumanInTheLoopMiddleware({})])
    outer = around(Kept(agent).wait)
    (node,) = tool_nodes.tool_nodes(outer)
    tool_nodes.guard(node)
    agent_types.register(agent_types.AgentType("graph.outer", Level.WORKER, lambda: outer))
    root = graph("outer", calls(("send", {"to": "ann"})))
    run_all()
    assert "send is guarded, and a guarded tool cannot be awaited" in fresh(root).current_run.error
    assert effects(trace) == []


def test_a_guarded_tool_does_not_run_outside_of_an_agent(graph, trace):
    lines = import_module("lines")
    node = ToolNode([lines.send])
    tool_nodes.guard(node)
    message = AIMessage("", tool_calls=[{"name": "send", "args": {"to": "ann"}, "id": "1"}])
    with pytest.raises(Exception, match="by nobody else"):
        around(node).compile().invoke({"messages": [message]})
    assert effects(trace) == []


def test_a_node_is_guarded_once_however_many_graphs_share_it(graph):
    lines = import_module("lines")
    node = ToolNode([lines.send])
    tool_nodes.guard(node)
    once = vars(node)["_wrap_tool_call"]
    tool_nodes.guard(node)
    assert vars(node)["_wrap_tool_call"] is once
    assert Approval.objects.count() == 0


def test_a_refused_call_keeps_no_connection(graph, trace):
    """It is looked up in a thread of LangGraph's, which nobody else tidies up."""
    root = graph("batched", calls(("send", {"to": "ann"})))
    rule = {"name": "no letters", "policy": "refuse", "when": {"tools": ["send"]}}
    run_all()
    decide(asked()[0], "approve")
    policies.save(root.project_id, {"rules": [rule]}, expected=None, note="", by=make_member(root.project))
    before = least_out()  # other tests of this process may have left some
    run_all()
    assert told(root) == ["This call was refused: The policy “no letters” refuses this call."]
    assert least_out(enough=before) <= before


def least_out(enough: int = 0) -> int:
    """How many connections somebody holds but this thread; what beats and looks around has one for a moment."""
    usual = connections["default"]
    assert isinstance(usual, DatabaseWrapper)
    usual.close()
    least, until = 1_000, time.monotonic() + 3
    while least > enough and time.monotonic() < until:
        stats = usual.pool.get_stats()
        least = min(least, stats["pool_size"] - stats["pool_available"])
        time.sleep(0.02)
    return least
