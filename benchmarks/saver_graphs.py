"""A graph of three nodes on each saver, in each mode of durability."""

import asyncio
import operator
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypedDict
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Durability
from psycopg_pool import AsyncConnectionPool

from agents.checkpoints import scoped
from benchmarks.contenders import OURS, POOL, THEIRS, THREADS, Ensure, Saver, Savers, config_of, message
from benchmarks.measuring import GRAPH_ROUNDS, Figure, Task, interleaved

SUPERSTEPS = 50
DURABILITIES: tuple[tuple[Durability, str], ...] = (("sync", "0.8"), ("async", "1.0"), ("exit", "1.0"))


class State(TypedDict):
    """What the three nodes say."""

    said: Annotated[list[Any], operator.add]


def unless_over(following: str) -> Callable[[State], str]:
    """The edge to the following node, until there were enough supersteps."""
    return lambda state: END if len(state["said"]) >= SUPERSTEPS else following


def three_nodes(saver: Saver) -> Any:
    """A graph that goes round through three nodes until there were enough supersteps."""
    graph = StateGraph(State)
    for name in "abc":
        graph.add_node(name, lambda state: {"said": [message(len(state["said"]))]})
    graph.add_edge(START, "a")
    for one, other in ("ab", "bc", "ca"):
        graph.add_conditional_edges(one, unless_over(other), [other, END])
    return graph.compile(saver)


@scoped()
def graph_config(ensure: Ensure) -> RunnableConfig:
    """A fresh thread, whose mission was made before, as those of a worker are; leave to go round often enough."""
    thread = uuid4()
    ensure(thread, None)
    return {**config_of(str(thread)), "recursion_limit": SUPERSTEPS + 5}


def graph(contenders: Savers, ensure: Ensure, durability: Durability, aim: str) -> Figure:
    """Wall time of a superstep."""

    def running(compiled: Any) -> Task:
        return lambda: partial(compiled.invoke, {"said": []}, graph_config(ensure), durability=durability)

    tasks = {name: running(three_nodes(saver)) for name, saver in contenders.items()}
    spent = interleaved(tasks, GRAPH_ROUNDS, time.perf_counter, 1)
    each = {name: ms / SUPERSTEPS for name, ms in spent.items()}
    return Figure(f"graph, {SUPERSTEPS} supersteps, {durability}", "ms a step", each, aim)


async def async_graph(saver: Saver, ensure: Ensure, address: str) -> Figure:
    """`ainvoke` on ours and on AsyncPostgresSaver, which stands in PostgresSaver's column."""
    spent: dict[str, list[float]] = {OURS: [], THEIRS: []}
    async with AsyncConnectionPool[Any](address, min_size=1, max_size=THREADS, kwargs=POOL) as pool:
        graphs = {OURS: three_nodes(saver), THEIRS: three_nodes(AsyncPostgresSaver(pool))}
        for _ in range(GRAPH_ROUNDS):
            for name, compiled in graphs.items():
                config = await asyncio.to_thread(graph_config, ensure)
                began = time.perf_counter()
                await compiled.ainvoke({"said": []}, config, durability="sync")
                spent[name].append((time.perf_counter() - began) * 1000 / SUPERSTEPS)
    medians = {name: statistics.median(times) for name, times in spent.items()}
    return Figure(f"ainvoke, {SUPERSTEPS} supersteps, beside AsyncPostgresSaver", "ms a step", medians, "1.0")
