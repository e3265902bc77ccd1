"""Our saver beside LangGraph's own, on one PostgreSQL, in turns: each figure is a median over interleaved rounds."""

import asyncio
import operator
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import psycopg
from django.db import connection
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Durability
from psycopg.sql import SQL, Identifier, Literal
from psycopg_pool import AsyncConnectionPool

from agents.checkpoints import QueenrightSaver, scoped
from agents.models import Project, User
from benchmarks import tables
from benchmarks.contenders import (
    OURS,
    POOL,
    SQLITE,
    THEIRS,
    THREADS,
    Ensure,
    Saver,
    Savers,
    Thread,
    config_of,
    dsn,
    message,
    missions,
    noise,
    ours,
    savers,
)
from orchestrator.runtime.states import AtRest

ROUNDS = 200
WARM_UP = 20
GROWING_STEPS = 200
SAME_STEPS = 50
SIZED_THREADS = 5  # so that what empty tables take counts little
SUPERSTEPS = 50
GRAPH_ROUNDS = 9
RATE_PUTS = 400
TABLES = {
    OURS: ("agent_states", "agent_channel_versions", "agent_values", "agent_state_writes"),
    THEIRS: ("checkpoints", "checkpoint_blobs", "checkpoint_writes"),
}
Task = Callable[[], Callable[[], object]]
"""Prepares what is to be measured, and returns it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, for each saver, in which unit, and what share of PostgresSaver's is aimed at."""

    what: str
    unit: str
    values: dict[str, float]
    aim: str = ""

    @property
    def ratio(self) -> float:
        """Ours as a share of PostgresSaver's."""
        return self.values[OURS] / self.values[THEIRS]


def run(project: Project, user: User) -> list[Figure]:
    """All figures."""
    with savers(project, user) as all_three:
        on_postgres = {name: all_three[name] for name in (OURS, THEIRS)}
        return [
            growing_bytes(on_postgres, noise, "noise", "0.06"),
            growing_bytes(on_postgres, message, "words", "0.06"),
            unchanged_bytes(on_postgres),
            put_cpu(all_three, 1, "0.9"),
            put_cpu(all_three, 50, "0.6"),
            put_text_cpu(all_three),
            fenced_put(all_three, missions(project, user)),
            *reads(all_three, lambda: ours(project, user)),
            rate(on_postgres),
            rate_with_slow_commits(on_postgres),
            listing(all_three),
            *[graph(all_three, missions(project, user), durability, aim) for durability, aim in DURABILITIES],
            asyncio.run(async_graph(all_three[OURS], missions(project, user), dsn())),
        ]


def growing_bytes(contenders: Savers, make: Callable[[int], Any], text: str, aim: str) -> Figure:
    """Bytes on disk after steps that add a message each, with the write that brought it."""

    def steps(thread: Thread) -> None:
        messages = []
        for step in range(GROWING_STEPS):
            messages.append(make(step))
            thread.put({"messages": list(messages), "step": step}, ["messages", "step"])
            thread.saver.put_writes(thread.config, [("messages", [make(step + 1)])], str(uuid4()))

    return Figure(f"{GROWING_STEPS} growing steps, {text}", "bytes a thread", added_bytes(contenders, steps), aim)


def unchanged_bytes(contenders: Savers) -> Figure:
    """Bytes on disk after steps that leave a long string as it is but say that it is new."""

    def steps(thread: Thread) -> None:
        for step in range(SAME_STEPS):
            thread.put({"text": incompressible(50), "step": step}, ["text", "step"])

    return Figure(f"50 KB string, {SAME_STEPS} steps", "bytes a thread", added_bytes(contenders, steps), "0.08")


def incompressible(kilobytes: int) -> str:
    """Always the same text, that PostgreSQL cannot make much shorter."""
    return "".join(characters(number) for number in range(kilobytes * 32))


def characters(number: int) -> str:
    """Thirty-two characters that follow from a number."""
    return f"{pow(7, number + 99, 2**128 - 159):032x}"


def added_bytes(contenders: Savers, steps: Callable[[Thread], None]) -> dict[str, float]:
    """What the tables and indexes of each saver grow by with each thread."""
    sizes: dict[str, float] = {}
    for name, saver in contenders.items():
        before = table_bytes(name)
        for _ in range(SIZED_THREADS):
            steps(Thread(saver))
        sizes[name] = (table_bytes(name) - before) / SIZED_THREADS
    return sizes


def table_bytes(name: str) -> int:
    """The size of a saver's tables with their indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name", [list(TABLES[name])]
        )
        return int(cursor.fetchone()[0])


def interleaved(
    tasks: dict[str, Task], rounds: int, clock: Callable[[], float], warm_up: int = WARM_UP
) -> dict[str, float]:
    """The median of each task by a clock in seconds, in ms; one round of all before the next."""
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + warm_up):
        for name, task in tasks.items():
            measured = task()
            began = clock()
            measured()
            if number >= warm_up:
                spent[name].append((clock() - began) * 1000)
    return {name: statistics.median(times) for name, times in spent.items()}


def put_cpu(contenders: Savers, kilobytes: int, aim: str) -> Figure:
    """The client's CPU for one checkpoint of a conversation of this size, of which the last message is new."""
    tasks = {name: putting(Thread(saver), kilobytes) for name, saver in contenders.items()}
    spent = interleaved(tasks, ROUNDS, time.thread_time)
    return Figure(f"put, {kilobytes} KB of messages, one new, client CPU", "ms", spent, aim)


def putting(thread: Thread, kilobytes: int) -> Task:
    """Checkpoints with always another last message."""
    earlier = [message(number) for number in range(int(kilobytes * 2.2) - 1)]

    def prepare() -> Callable[[], object]:
        said = [*earlier, message(len(earlier) + thread.step)]
        return thread.next({"messages": said, "step": thread.step}, ["messages", "step"])

    return prepare


def fenced_put(contenders: Savers, ensure: Ensure) -> Figure:
    """Wall time of one checkpoint, ours behind the fence that a person's edits have; the others have none."""
    fenced = {**contenders, OURS: QueenrightSaver(ensure_thread=ensure, fence=lambda config: AtRest())}
    tasks = {name: putting(Thread(saver), 1) for name, saver in fenced.items()}
    return Figure("put, 1 KB, ours behind a fence", "ms", interleaved(tasks, ROUNDS, time.perf_counter))


def put_text_cpu(contenders: Savers) -> Figure:
    """The same for one text, all of it new: PostgresSaver keeps texts in the checkpoint's own row."""
    text = incompressible(50)

    def putting_text(thread: Thread) -> Task:
        return lambda: thread.next({"text": f"{thread.step} {text}"}, ["text"])

    tasks = {name: putting_text(Thread(saver)) for name, saver in contenders.items()}
    return Figure("put, a text of 50 KB, client CPU", "ms", interleaved(tasks, ROUNDS, time.thread_time))


def reads(contenders: Savers, fresh: Callable[[], Saver]) -> list[Figure]:
    """The latest state, with and without anything in our caches; the other savers have none."""

    def filled(values: dict[str, Any]) -> dict[str, RunnableConfig]:
        threads = {name: Thread(saver) for name, saver in contenders.items()}
        for thread in threads.values():
            thread.put(values, list(values))
        return {name: thread.start for name, thread in threads.items()}

    def tasks(configs: dict[str, RunnableConfig]) -> dict[str, Task]:
        return {name: always(partial(contenders[name].get_tuple, configs[name])) for name in contenders}

    def reading_cold() -> Callable[[], object]:
        return partial(fresh().get_tuple, long[OURS])

    long = filled({"messages": [message(number) for number in range(100)], "step": 1})
    short = filled({"messages": [message(number) for number in range(2)], "step": 1})
    cold = {**tasks(long), OURS: reading_cold}
    return [
        Figure("get latest, 100 messages, warm", "ms", interleaved(tasks(long), ROUNDS, time.perf_counter), "0.4"),
        Figure("get latest, 100 messages, cold", "ms", interleaved(cold, ROUNDS, time.perf_counter), "1.0"),
        Figure("get latest, 1 KB, warm", "ms", interleaved(tasks(short), ROUNDS, time.perf_counter), "under 1 ms"),
    ]


def always(task: Callable[[], object]) -> Task:
    """What needs no preparation."""
    return lambda: task


def rate(contenders: Savers, commit: str = "") -> Figure:
    """Checkpoints a second by threads that share one saver; `commit` tells of what kind commits are."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(GRAPH_ROUNDS):
        for name, saver in contenders.items():
            rates[name].append(puts_a_second(saver))
    medians = {name: statistics.median(all_) for name, all_ in rates.items()}
    return Figure(f"puts, {THREADS} threads{commit}", "a second", medians, "2.0")


def rate_with_slow_commits(contenders: Savers) -> Figure:
    """The same where each flush of the log takes a millisecond more, as on disks that are reached by a network."""
    with server_settings(commit_delay="1000", commit_siblings="0"):
        return rate(contenders, ", 1 ms more a commit")


@contextmanager
def server_settings(**values: str) -> Iterator[None]:
    """Settings of the whole server for the length of the block."""
    with psycopg.connect(dsn(), autocommit=True) as link:
        link.execute("SET ROLE NONE")
        try:
            for name, value in values.items():
                link.execute(SQL("ALTER SYSTEM SET {} = {}").format(Identifier(name), Literal(value)))
            link.execute("SELECT pg_reload_conf()")
            yield
        finally:
            for name in values:
                link.execute(SQL("ALTER SYSTEM RESET {}").format(Identifier(name)))
            link.execute("SELECT pg_reload_conf()")


def puts_a_second(saver: Saver) -> float:
    """By threads that each write a thread of their own."""

    def work(puts: list[Callable[[], object]]) -> None:
        for put in puts:
            put()

    with ThreadPoolExecutor(THREADS) as pool:
        threads = [Thread(saver) for _ in range(THREADS)]
        for thread in threads:
            thread.put({"step": 0}, ["step"])
        prepared = [
            [prepare() for _ in range(RATE_PUTS // THREADS)] for prepare in (putting(one, 1) for one in threads)
        ]
        began = time.perf_counter()
        list(pool.map(work, prepared))
        return RATE_PUTS / (time.perf_counter() - began)


def listing(contenders: Savers) -> Figure:
    """Ten of two hundred checkpoints with growing lists, by a filter that half of them pass."""

    def reading(saver: Saver) -> Callable[[], object]:
        thread, said = Thread(saver), [message(number) for number in range(GROWING_STEPS // 2)]
        for step in range(GROWING_STEPS):
            thread.put({"messages": said[: step // 2]}, ["messages"])
        return lambda: list(saver.list(thread.start, filter={"source": "loop"}, limit=10))

    tasks = {name: always(reading(saver)) for name, saver in contenders.items()}
    return Figure("list 10 of 200, filtered", "ms", interleaved(tasks, ROUNDS // 4, time.perf_counter), "0.5")


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


def table(figures: list[Figure]) -> str:
    """Each figure for each saver, and ours as a share of PostgresSaver's."""
    rows = [
        (
            f"{figure.what} ({figure.unit})",
            *[f"{figure.values[name]:,.4g}" if name in figure.values else "" for name in (OURS, THEIRS, SQLITE)],
            f"{figure.ratio:.3f}",
            figure.aim,
        )
        for figure in figures
    ]
    return tables.table("Savers, interleaved on one PostgreSQL", ("", OURS, THEIRS, SQLITE, "ratio", "aim"), rows)
