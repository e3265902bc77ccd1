"""Which graph an agent's type means."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from agents.errors import NotFound
from agents.graphs import architect, publisher, queen, reader, specialist
from agents.roles import Level
from orchestrator.runtime.saving import saver

Durability = Literal["sync", "exit"]


@dataclass(frozen=True, slots=True)
class AgentType:
    """A kind of agent. `durability` is sync for all that delegate or use guarded tools, whose ids must be stable."""

    name: str
    level: Level
    build: Callable[[], StateGraph[Any, Any, Any, Any]]
    durability: Durability = "sync"


_TYPES: dict[str, AgentType] = {
    kind.name: kind
    for kind in (
        AgentType("research.queen", Level.QUEEN, queen.build),
        AgentType("research.architect", Level.ARCHITECT, architect.build),
        AgentType("research.specialist", Level.SPECIALIST, specialist.build),
        AgentType("research.reader", Level.WORKER, reader.build),
        AgentType("research.publisher", Level.WORKER, publisher.build),
    )
}


def register(kind: AgentType) -> None:
    """Add a kind of agent."""
    _TYPES[kind.name] = kind


def is_known(name: str) -> bool:
    """Can agents of this type run here?"""
    return name in _TYPES


def agent_type(name: str) -> AgentType:
    """The kind of agent. Raises NotFound."""
    try:
        return _TYPES[name]
    except KeyError:
        raise NotFound(f"There is no agent type “{name}”.") from None


@cache
def graph_for(name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The compiled graph of an agent type, made once a process."""
    return agent_type(name).build().compile(checkpointer=saver(), name=name)
