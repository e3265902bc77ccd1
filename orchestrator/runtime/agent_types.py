"""Which graph an agent's type means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from agents.checkpoints.retention import Retention
from agents.errors import NotFound
from agents.graphs import architect, publisher, queen, reader, specialist
from agents.graphs.colleagues import Answers
from agents.graphs.ports import AgentContext
from agents.roles import Level
from orchestrator.runtime.batching import Batching
from orchestrator.runtime.durability import EVERY_STEP, Durability
from orchestrator.runtime.saving import saver

USUAL_RETENTION = Retention()


def _own_context(context: AgentContext) -> Any:
    return context


def _own_result(values: Mapping[str, Any]) -> Any:
    return values.get("result")


@dataclass(frozen=True, slots=True)
class AgentType:
    """A kind of agent. `durability` says when its states are written, so what a death costs it.

    `retention` says which of them stay; None: all of them. `fan_out` is how many agents it may start at once; None:
    as many as its level usually may. `batching` says which of its tasks one agent does together; None: none. Its graph
    then takes an input with several `tasks`, and gives a result for each: see `agents.graphs.batches`. `answers`
    answers what other agents ask of it; None: it answers nothing. `context` makes what its nodes are given, `result`
    what it came to, as JSON, from its last state. `tools` are the names of those that it may call; None: not known.
    """

    name: str
    level: Level
    build: Callable[[], StateGraph[Any, Any, Any, Any]]
    durability: Durability = EVERY_STEP
    retention: Retention | None = USUAL_RETENTION
    fan_out: int | None = None
    batching: Batching | None = None
    answers: Answers | None = None
    context: Callable[[AgentContext], Any] = _own_context
    result: Callable[[Any], Any] = _own_result
    tools: frozenset[str] | None = None


_TYPES: dict[str, AgentType] = {
    kind.name: kind
    for kind in (
        AgentType("research.queen", Level.QUEEN, queen.build, answers=queen.answers),
        AgentType("research.architect", Level.ARCHITECT, architect.build, answers=architect.answers),
        AgentType("research.specialist", Level.SPECIALIST, specialist.build, answers=specialist.answers),
        AgentType("research.reader", Level.WORKER, reader.build, batching=Batching()),
        AgentType("research.publisher", Level.WORKER, publisher.build),
    )
}


def register(kind: AgentType) -> None:
    """Add a kind of agent. Raises ImproperlyConfigured when its declaration does not fit its graph."""
    _check_nodes(kind)
    _TYPES[kind.name] = kind


def is_known(name: str) -> bool:
    """Can agents of this type run here?"""
    return name in _TYPES


def _check_nodes(kind: AgentType) -> None:
    if not kind.durability.nodes:
        return
    known = kind.build().nodes.keys()
    if unknown := sorted(kind.durability.nodes - known):
        raise ImproperlyConfigured(
            f"The agent type {kind.name} is to write its states after {', '.join(unknown)}, "
            f"but its graph has only {', '.join(sorted(known))}."
        )


def agent_type(name: str) -> AgentType:
    """The kind of agent. Raises NotFound."""
    try:
        return _TYPES[name]
    except KeyError:
        raise NotFound(f"There is no agent type “{name}”.") from None


def retentions() -> dict[str, Retention]:
    """What stays of the states of each type that does not keep all."""
    return {name: kind.retention for name, kind in _TYPES.items() if kind.retention is not None}


@cache
def graph_for(name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The compiled graph of an agent type, made once a process."""
    return agent_type(name).build().compile(checkpointer=saver(), name=name)
