"""Agents whose results are long, and that keep things for others, for tests of what is handed over by reference."""

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.errors import DetailMissing
from agents.graphs.findings import Piece
from agents.graphs.ports import AgentContext, ChildTask
from agents.roles import Level
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType

LENGTH = 6000
BREAK: set[str] = set()


class Errand(Piece):
    """What each is started with: how many children, how long a child's result is, which reference it is to fetch."""

    children: int = 0
    length: int = LENGTH
    name: str = "q"
    reference: str = ""


class State(TypedDict, total=False):
    children: int
    length: int
    name: str
    reference: str
    outcomes: list[Any]
    note: dict[str, Any]
    result: dict[str, Any]


Context = Runtime[AgentContext]


def bring(state: State, runtime: Context) -> State:
    text = (f"{state['name']} has much to say. " * LENGTH)[: state["length"]]
    return {"result": {"summary": f"All of {state['name']}", "text": text, "parts": [1, 2, 3], "half": 0.5}}


def gather(state: State, runtime: Context) -> State:
    tasks = [
        ChildTask(agent_type="test.bringer", name=f"b{n}", goal="", input=Errand(name=f"b{n}", length=state["length"]))
        for n in range(state["children"])
    ]
    outcomes = runtime.context.team.delegate(tasks, key="work", reason="they bring")
    return {"outcomes": [outcome.output for outcome in outcomes]}


def weigh(state: State, runtime: Context) -> State:
    whole = [runtime.context.details.whole(output) for output in state["outcomes"]]
    return {"result": {"lengths": [len(one["text"]) for one in whole], "names": [one["summary"] for one in whole]}}


def keep(state: State, runtime: Context) -> State:
    kept = runtime.context.details.keep("notes", f"notes of {state['name']}", {"text": state["name"] * LENGTH})
    if state["name"] in BREAK:
        raise KeyboardInterrupt  # as a killed process: nothing of ours runs any more
    return {"note": kept.model_dump(mode="json")}


def recall(state: State, runtime: Context) -> State:
    return {"result": {"length": len(runtime.context.details.whole(state["note"])["text"])}}


def look(state: State, runtime: Context) -> State:
    try:
        return {"result": {"found": runtime.context.details.fetch(state["reference"])}}
    except DetailMissing as error:
        return {"result": {"found": None, "missing": str(error)}}


def line(*nodes: Any) -> StateGraph[State, AgentContext, State, State]:
    graph = StateGraph(State, context_schema=AgentContext)
    last = START
    for node in nodes:
        graph.add_node(node.__name__, node)
        graph.add_edge(last, node.__name__)
        last = node.__name__
    graph.add_edge(last, END)
    return graph


for kind in (
    AgentType("test.gatherer", Level.SPECIALIST, lambda: line(gather, weigh), fan_out=1000),
    AgentType("test.bringer", Level.WORKER, lambda: line(bring)),
    AgentType("test.keeper", Level.WORKER, lambda: line(keep, recall)),
    AgentType("test.looker", Level.WORKER, lambda: line(look)),
):
    agent_types.register(kind)
