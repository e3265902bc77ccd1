"""Agents without work: what is left is the hierarchy itself. Parents wait for word, or poll with a thread held."""

import time
from typing import Any, TypedDict
from uuid import UUID

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.checkpoints.connections import scoped
from agents.graphs.findings import Piece
from agents.graphs.ports import AgentContext, ChildTask
from agents.lifecycle import FINAL, ChildrenNeeded, WaitKind
from agents.models import AgentSession
from agents.roles import Level
from agents.services import sessions, waits
from agents.services.sessions import Start
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType

LEVELS = (Level.QUEEN, Level.ARCHITECT, Level.SPECIALIST, Level.WORKER)


class Tree(Piece):
    """How many children each level below starts, and how often a polling parent looks; 0 means it is told."""

    below: tuple[int, ...]
    poll_seconds: float = 0


class State(TypedDict, total=False):
    """The input and what came of it."""

    below: list[int]
    poll_seconds: float
    result: dict[str, Any]


def _delegates(level: Level) -> Any:
    child = LEVELS[LEVELS.index(level) + 1]

    def told(state: State, runtime: Runtime[AgentContext]) -> State:
        count, *rest = state["below"]
        tasks = [
            ChildTask(agent_type=f"bench.{child}", name=f"{child} {number}", goal="", input=Tree(below=tuple(rest)))
            for number in range(count)
        ]
        outcomes = runtime.context.team.delegate(tasks, key="work", reason="they work")
        return {"result": {"children": len(outcomes)}}

    return told


def _polls(level: Level) -> Any:
    child = LEVELS[LEVELS.index(level) + 1]

    def poll(state: State, runtime: Runtime[AgentContext]) -> State:
        count, *rest = state["below"]
        own = runtime.context.session_id
        brief = Tree(below=tuple(rest), poll_seconds=state["poll_seconds"]).model_dump(mode="json")
        starts = [Start(f"poll.{child}", child, f"{child} {number}", "", brief) for number in range(count)]
        _start(own, starts)
        while _unfinished(own):
            time.sleep(state["poll_seconds"])
        return {"result": {"children": count}}

    return poll


def _start(session_id: UUID, starts: list[Start]) -> None:
    from django.db import transaction

    question = waits.Question("poll", WaitKind.CHILDREN, "children:poll", {}, "children", "it polls")
    with scoped(), transaction.atomic():
        waits.delegate(sessions.lock(session_id), question, starts, needs=ChildrenNeeded.ALL, needed=0)


def _unfinished(session_id: UUID) -> bool:
    with scoped():
        return AgentSession.objects.filter(parent=session_id).exclude(status__in=FINAL).exists()


def _works(state: State) -> State:
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
    agent_types.register(AgentType(f"bench.{level}", level, lambda: _graph(told)))
    agent_types.register(AgentType(f"poll.{level}", level, lambda: _graph(polls)))


for _level in LEVELS:
    _register(_level)
