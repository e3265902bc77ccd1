"""Agents whose tasks are put together, for tests of batches: each task leaves a trace, and may fail."""

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.errors import InvalidInput
from agents.graphs import batches
from agents.graphs.findings import Piece
from agents.graphs.ports import AgentContext, ChildTask
from agents.lifecycle import ChildrenNeeded
from agents.roles import Level
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.batching import Batching

KILLED: set[str] = set()
MUTE: set[str] = set()


class Job(Piece):
    """A worker's."""

    name: str
    tool: str = "leave_trace"
    fails: bool = False


class Jobs(Piece):
    """What is delegated: a task a name, each of so many tokens."""

    names: tuple[str, ...]
    failing: tuple[str, ...] = ()
    tool: str = "leave_trace"
    tokens: int = 10
    needs: str = "all"


class State(TypedDict, total=False):
    names: list[str]
    failing: list[str]
    tool: str
    tokens: int
    needs: str
    name: str
    fails: bool
    tasks: list[dict[str, Any]]
    result: dict[str, Any]


def hand_out(state: State, runtime: Runtime[AgentContext]) -> State:
    tasks = [
        ChildTask(
            agent_type="test.batched",
            name=f"task {name}",
            goal="sweep the floor of the hive",
            input=Job(name=name, tool=state["tool"], fails=name in state["failing"]),
            tokens=state["tokens"],
        )
        for name in state["names"]
    ]
    needs = ChildrenNeeded(state["needs"])
    outcomes = runtime.context.team.delegate(tasks, key="work", reason="they sweep", needs=needs)
    return {"result": {"outcomes": [[one.name, one.status, one.output, one.missing] for one in outcomes]}}


def sweep(state: State, runtime: Runtime[AgentContext]) -> State:
    given = state.get("tasks") or [{"name": state["name"], "tool": state["tool"], "fails": state["fails"]}]

    def one(place: int, task: dict[str, Any]) -> dict[str, Any]:
        if task["name"] in KILLED:
            raise KeyboardInterrupt  # as a killed process
        if task["fails"]:
            raise InvalidInput(f"There is no floor {task['name']}.")
        return runtime.context.tools.call(task["tool"], {"name": task["name"]}, key=f"{place}:use", intent="I must")

    done, failed = batches.each(dict(enumerate(given)), one, alone=len(given) == 1)
    if len(given) == 1:
        return {"result": done[0]}
    if given[0]["name"] in MUTE:
        return {"result": {"something": "else"}}
    return {"result": batches.results(done, [task["name"] for task in given], failed)}


def line(node: Any) -> StateGraph[State, AgentContext, State, State]:
    graph = StateGraph(State, context_schema=AgentContext)
    graph.add_node("work", node)
    graph.add_edge(START, "work")
    graph.add_edge("work", END)
    return graph


agent_types.register(AgentType("test.foreman", Level.SPECIALIST, lambda: line(hand_out)))
agent_types.register(
    AgentType("test.batched", Level.WORKER, lambda: line(sweep), batching=Batching(most=3, tokens=100))
)
