"""Agents without work: what is left is the hierarchy itself. Parents wait for word, or poll with a thread held.

Beside them: agents that wait as on a model, agents that ask a person, and a task that Celery runs for nothing.
"""

import random
import time
from typing import Any, TypedDict
from uuid import UUID

from celery import shared_task
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.checkpoints.connections import scoped
from agents.graphs.findings import Piece
from agents.graphs.ports import AgentContext, ChildTask
from agents.lifecycle import FINAL, ChildrenNeeded, Policy, Risk, WaitKind
from agents.models import AgentSession
from agents.roles import Level
from agents.services import sessions, waits
from agents.services.sessions import Start
from orchestrator.realtime import feed
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.tools import registry
from orchestrator.tools.tool import Arguments, Tool

MOST_CHILDREN = 1000
ASKS = "bench_ask"
NOTHING = "bench.nothing"
LEVELS = (Level.QUEEN, Level.ARCHITECT, Level.SPECIALIST, Level.WORKER)


class Tree(Piece):
    """How many children each level below starts, and how often a polling parent looks; 0 means it is told.

    Workers wait for about `wait_seconds`, half as much more or less.
    """

    below: tuple[int, ...]
    poll_seconds: float = 0
    wait_seconds: float = 0


class State(TypedDict, total=False):
    """The input and what came of it. `length` is that of a result, in characters, `steps` how many are left."""

    below: list[int]
    length: int
    outcomes: list[Any]
    poll_seconds: float
    wait_seconds: float
    steps: int
    result: dict[str, Any]


def _delegates(level: Level) -> Any:
    child = LEVELS[LEVELS.index(level) + 1]

    def told(state: State, runtime: Runtime[AgentContext]) -> State:
        count, *rest = state["below"]
        tasks = [
            ChildTask(agent_type=f"bench.{child}", name=f"{child} {number}", goal="", input=_below(state, rest))
            for number in range(count)
        ]
        outcomes = runtime.context.team.delegate(tasks, key="work", reason="they work")
        last = max(one.ended_at.timestamp() for one in outcomes if one.ended_at)
        return {"result": {"children": len(outcomes), "joined_after": time.time() - last}}

    return told


def _polls(level: Level) -> Any:
    child = LEVELS[LEVELS.index(level) + 1]

    def poll(state: State, runtime: Runtime[AgentContext]) -> State:
        count, *rest = state["below"]
        own = runtime.context.session_id
        brief = _below(state, rest).model_dump(mode="json")
        starts = [Start(f"poll.{child}", child, f"{child} {number}", "", brief) for number in range(count)]
        _start(own, starts)
        while (last := _last_end(own)) is None:
            time.sleep(state["poll_seconds"])
        return {"result": {"children": count, "joined_after": time.time() - last}}

    return poll


def _below(state: State, rest: list[int]) -> Tree:
    return Tree(below=tuple(rest), poll_seconds=state.get("poll_seconds", 0), wait_seconds=state.get("wait_seconds", 0))


def _start(session_id: UUID, starts: list[Start]) -> None:
    from django.db import transaction

    question = waits.Question("poll", WaitKind.CHILDREN, "children:poll", {}, "children", "it polls")
    with scoped(), transaction.atomic():
        waits.delegate(sessions.lock(session_id), question, starts, needs=ChildrenNeeded.ALL, needed=0)


def _last_end(session_id: UUID) -> float | None:
    """When the last child ended, in seconds since 1970; None while one works."""
    with scoped():
        ends = AgentSession.objects.filter(parent=session_id).values_list("status", "finished_at")
        return max(at.timestamp() for _, at in ends) if all(status in FINAL for status, _ in ends) else None


def _works(state: State) -> State:
    if mean := state.get("wait_seconds", 0):
        time.sleep(random.uniform(0.5 * mean, 1.5 * mean))
    return {"result": {"children": 0}}


def _graph(node: Any) -> StateGraph[State, AgentContext, State, State]:
    graph = StateGraph(State, context_schema=AgentContext)
    graph.add_node("work", node)
    graph.add_edge(START, "work")
    graph.add_edge("work", END)
    return graph


def _register(level: Level) -> None:
    if level is Level.WORKER:
        told, polls = _works, _works
    else:
        told, polls = _delegates(level), _polls(level)
    agent_types.register(AgentType(f"bench.{level}", level, lambda: _graph(told), fan_out=MOST_CHILDREN))
    agent_types.register(AgentType(f"poll.{level}", level, lambda: _graph(polls)))


class Nothing(Arguments):
    """No arguments."""


def _waiting() -> StateGraph[State, AgentContext, State, State]:
    """Some steps, in each of which it waits as one waits for a model."""

    def wait(state: State) -> State:
        time.sleep(state["wait_seconds"])
        return {"steps": state["steps"] - 1, "result": {}}

    graph = StateGraph(State, context_schema=AgentContext)
    graph.add_node("wait", wait)
    graph.add_edge(START, "wait")
    graph.add_conditional_edges("wait", lambda state: "wait" if state["steps"] else END, ["wait", END])
    return graph


def _asking() -> StateGraph[State, AgentContext, State, State]:
    """Asks a person; the step after the answer says when it began, in seconds since 1970."""

    def ask(state: State, runtime: Runtime[AgentContext]) -> State:
        runtime.context.tools.call(ASKS, {}, key="ask", intent="it measures")
        return {}

    graph = StateGraph(State, context_schema=AgentContext)
    graph.add_node("ask", ask)
    graph.add_node("go on", lambda state: {"result": {"went_on_at": time.time()}})
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "go on")
    return graph


class Length(Piece):
    """How many characters a result is to have."""

    length: int


def _gathering() -> StateGraph[State, AgentContext, State, State]:
    """Has many agents bring long results, keeps what it gets of them, and takes them whole one by one."""

    def gather(state: State, runtime: Runtime[AgentContext]) -> State:
        tasks = [
            ChildTask(agent_type="bench.brings", name=f"worker {number}", goal="", input=Length(length=state["length"]))
            for number in range(state["below"][0])
        ]
        outcomes = runtime.context.team.delegate(tasks, key="work", reason="they bring")
        return {"outcomes": [outcome.output for outcome in outcomes]}

    def weigh(state: State, runtime: Runtime[AgentContext]) -> State:
        whole = runtime.context.details.whole
        return {"result": {"length": sum(len(whole(outcome)["text"]) for outcome in state["outcomes"])}}

    graph = StateGraph(State, context_schema=AgentContext)
    graph.add_node("gather", gather)
    graph.add_node("weigh", weigh)
    graph.add_edge(START, "gather")
    graph.add_edge("gather", "weigh")
    graph.add_edge("weigh", END)
    return graph


def _brings(state: State) -> State:
    """Each result differs, so that none is stored for another."""
    text = f"{random.random()} " + "what it found " * state["length"]
    return {"result": {"summary": "What it found", "text": text[: state["length"]]}}


@shared_task(name=NOTHING)
def nothing() -> None:
    """What Celery itself takes for a task. Counted in Redis."""
    feed.connection().incr(NOTHING)


for _level in LEVELS:
    _register(_level)
agent_types.register(AgentType("bench.waits", Level.WORKER, _waiting))
agent_types.register(AgentType("bench.gathers", Level.SPECIALIST, _gathering, fan_out=MOST_CHILDREN))
agent_types.register(AgentType("bench.brings", Level.WORKER, lambda: _graph(_brings)))
agent_types.register(AgentType("bench.asks", Level.WORKER, _asking))
registry.register(
    Tool(ASKS, "1", "Go on", Risk.MEDIUM, Policy.ASK, idempotent=True, arguments=Nothing, run=lambda caller, given: {})
)
