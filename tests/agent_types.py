"""Small agents for tests of the runner: they delegate, ask, use a guarded tool, and leave a trace of each effect."""

import operator
import os
import time
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send
from pydantic import Field

from agents.graphs.findings import Piece
from agents.graphs.ports import AgentContext, ChildTask
from agents.lifecycle import ChildrenNeeded, Policy, Risk
from agents.roles import Level
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.tools import registry
from orchestrator.tools.tool import Arguments, Caller, Compensation, Tool

TRACE = "QUEENRIGHT_TEST_TRACE"


class Brief(Piece):
    """What each agent is started with."""

    name: str = "q"
    below: tuple[int, ...] = Field((), description="How many children each level below starts.")
    needs: str = "all"
    tool: str = "leave_trace"
    fail: tuple[str, ...] = ()


class State(TypedDict, total=False):
    name: str
    below: list[int]
    needs: str
    tool: str
    fail: list[str]
    steps: Annotated[list[str], operator.add]
    result: dict[str, Any]


Context = Runtime[AgentContext]
CHILD = {"queen": "test.architect", "architect": "test.specialist", "specialist": "test.worker"}
FAILING: set[str] = set()


def begin(state: State, runtime: Context) -> State:
    runtime.context.voice.say(f"{state['name']} begins")
    if state["name"] in FAILING:
        raise RuntimeError(f"{state['name']} was told to fail")
    return {"steps": ["begin"]}


def lead(level: str, child: str = ""):
    def delegate(state: State, runtime: Context) -> State:
        count, *rest = state["below"] or [0]
        tasks = [
            ChildTask(
                agent_type=child or CHILD[level],
                name=f"{state['name']}.{number}",
                goal="help",
                input=Brief(name=f"{state['name']}.{number}", below=tuple(rest), tool=state["tool"]),
            )
            for number in range(count)
        ]
        outcomes = runtime.context.team.delegate(
            tasks, key="work", reason="they work", needs=ChildrenNeeded(state["needs"])
        )
        return {
            "steps": ["delegate"],
            "result": {"names": [outcome.name for outcome in outcomes], "status": [o.status for o in outcomes]},
        }

    return delegate


def use(state: State, runtime: Context) -> State:
    done = runtime.context.tools.call(state["tool"], {"name": state["name"]}, key="use", intent="I must")
    return {"steps": ["use"], "result": done}


def use_three(state: State, runtime: Context) -> State:
    """Three guarded calls in one node: the answers must not change places."""
    call = runtime.context.tools.call
    done = [call(state["tool"], {"name": f"{state['name']}-{n}"}, key=f"use{n}", intent="I must") for n in range(3)]
    return {"steps": ["use"], "result": {"done": done}}


def fan(state: State) -> list[Send]:
    return [Send("branch", {**state, "name": f"{state['name']}/{n}"}) for n in range(6)]


def branch(state: State, runtime: Context) -> State:
    """One of several at once: each in a thread of LangGraph's."""
    runtime.context.voice.say(f"{state['name']} branches")
    done = runtime.context.tools.call(state["tool"], {"name": state["name"]}, key=state["name"], intent="I must")
    return {"steps": [str(done.get("name", done))]}


def end(state: State, runtime: Context) -> State:
    runtime.context.voice.say(f"{state['name']} ends")
    return {"steps": ["end"]}


def line(*nodes: Any) -> StateGraph[State, AgentContext, State, State]:
    graph = StateGraph(State, context_schema=AgentContext)
    last = START
    for node in nodes:
        graph.add_node(node.__name__, node)
        graph.add_edge(last, node.__name__)
        last = node.__name__
    graph.add_edge(last, END)
    return graph


def fanned() -> StateGraph[State, AgentContext, State, State]:
    graph = StateGraph(State, context_schema=AgentContext)
    graph.add_node("begin", begin)
    graph.add_node("branch", branch)
    graph.add_node("end", end)
    graph.add_edge(START, "begin")
    graph.add_conditional_edges("begin", fan, ["branch"])
    graph.add_edge("branch", "end")
    graph.add_edge("end", END)
    return graph


class Trace(Arguments):
    name: str


def leave_trace(caller: Caller, arguments: Trace) -> dict[str, Any]:
    """Append a line to the trace file: what happened in the world, whatever the database says."""
    pause = float(os.environ.get("QUEENRIGHT_TEST_PAUSE", "0"))
    time.sleep(pause)
    with Path(os.environ[TRACE]).open("a") as file:
        file.write(f"{arguments.name}\n")
    time.sleep(pause)
    return {"name": arguments.name}


class Busy(ConnectionError):
    """The other side asks to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__("busy")
        self.headers = {"retry-after": str(seconds)}


def trace_at_second_try(caller: Caller, arguments: Trace) -> dict[str, Any]:
    """The same, but the first call of a name is asked to come again later."""
    first = Path(f"{os.environ[TRACE]}.{arguments.name}")
    if not first.exists():
        first.touch()
        raise Busy(4)
    return leave_trace(caller, arguments)


def trace_by_key(caller: Caller, arguments: Trace) -> dict[str, Any]:
    """Ask a service that does what it is asked with one key once: each line is one request."""
    return leave_trace(caller, Trace(name=caller.idempotency_key))


def wipe_trace(caller: Caller, arguments: Trace) -> dict[str, Any]:
    """Take the last such line out of the trace file again."""
    path = Path(os.environ[TRACE])
    lines = path.read_text().splitlines(keepends=True)
    if f"{arguments.name}\n" in lines:
        lines.reverse()
        lines.remove(f"{arguments.name}\n")
        path.write_text("".join(reversed(lines)))
    return {"name": arguments.name}


def look_around(caller: Caller, arguments: Trace) -> dict[str, Any]:
    """Read only."""
    return {"name": arguments.name}


def _tool(name: str, policy: Policy, *, idempotent: bool = False, run=leave_trace, **more: Any) -> Tool[Trace]:
    return Tool(
        name=name,
        version="1",
        title="Leave a trace",
        risk=Risk.MEDIUM,
        policy=policy,
        idempotent=idempotent,
        arguments=Trace,
        run=run,
        **more,
    )


def wiped_by(name: str) -> Compensation:
    """The last trace of a call is wiped by the tool `name`."""
    return Compensation(name, lambda arguments, output: {"name": output["name"]})


def register() -> None:
    """Make these agents and tools known in this process."""
    for tool in (
        _tool("leave_trace", Policy.RUN),
        _tool("ask_to_trace", Policy.ASK),
        _tool("never_trace", Policy.REFUSE),
        _tool("trace_again", Policy.RUN, idempotent=True),
        _tool("trace_by_key", Policy.RUN, takes_key=True, run=trace_by_key),
        _tool("trace_at_second_try", Policy.RUN, idempotent=True, run=trace_at_second_try),
        _tool("look_around", Policy.RUN, idempotent=True, run=look_around, reads_only=True),
        _tool("wipe_trace", Policy.RUN, idempotent=True, run=wipe_trace),
        _tool("ask_to_wipe", Policy.ASK, idempotent=True, run=wipe_trace),
        _tool("never_wipe", Policy.REFUSE, idempotent=True, run=wipe_trace),
        _tool("trace_wipeably", Policy.RUN, compensation=wiped_by("wipe_trace")),
        _tool("trace_wipeable_on_asking", Policy.RUN, compensation=wiped_by("ask_to_wipe")),
        _tool("trace_never_wiped", Policy.RUN, compensation=wiped_by("never_wipe")),
    ):
        registry.register(tool)
    for kind in (
        AgentType("test.queen", Level.QUEEN, lambda: line(begin, lead("queen"), end)),
        AgentType("test.architect", Level.ARCHITECT, lambda: line(begin, lead("architect"), end)),
        AgentType("test.specialist", Level.SPECIALIST, lambda: line(begin, lead("specialist"), end)),
        AgentType("test.worker", Level.WORKER, lambda: line(begin, use, end)),
        AgentType("test.three", Level.WORKER, lambda: line(begin, use_three, end)),
        AgentType("test.fan", Level.WORKER, fanned),
    ):
        agent_types.register(kind)


register()
