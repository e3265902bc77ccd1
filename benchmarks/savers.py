"""Our saver beside LangGraph's own, on one PostgreSQL, in turns: each figure is a median over interleaved rounds."""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connection
from langchain_core.runnables import RunnableConfig
from psycopg.sql import SQL, Identifier, Literal

from agents.checkpoints import QueenrightSaver
from agents.models import Project, User
from benchmarks import tables
from benchmarks.contenders import (
    OURS,
    SQLITE,
    THEIRS,
    THREADS,
    Ensure,
    Saver,
    Savers,
    Thread,
    dsn,
    message,
    missions,
    noise,
    ours,
    savers,
)
from benchmarks.measuring import GRAPH_ROUNDS, ROUNDS, WARM_UP, Figure, Task, always, interleaved
from benchmarks.saver_graphs import DURABILITIES, async_graph, graph
from orchestrator.runtime.states import AtRest

GROWING_STEPS = 200
SAME_STEPS = 50
SIZED_THREADS = 5  # so that what empty tables take counts little
RATE_PUTS = 400
TABLES = {
    OURS: ("agent_states", "agent_channel_versions", "agent_values", "agent_state_writes"),
    THEIRS: ("checkpoints", "checkpoint_blobs", "checkpoint_writes"),
}


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
            put_server_cpu(on_postgres),
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


def put_server_cpu(contenders: Savers) -> Figure:
    """The server's CPU for one checkpoint, of all its processes that serve clients; they run on this machine."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(GRAPH_ROUNDS):
        for name, saver in contenders.items():
            puts = prepared(Thread(saver), WARM_UP + ROUNDS)
            for put in puts[:WARM_UP]:
                put()
            began = backends_cpu()
            for put in puts[WARM_UP:]:
                put()
            spent[name].append((backends_cpu() - began) / ROUNDS)
    medians = {name: statistics.median(times) for name, times in spent.items()}
    return Figure("put, 1 KB of messages, one new, server CPU", "ms", medians)


def backends_cpu() -> float:
    """What the server's processes that serve clients have taken so far, in ms."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        pids = [pid for (pid,) in cursor.fetchall()]
    connection.close()
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1_000_000


def prepared(thread: Thread, count: int) -> list[Callable[[], object]]:
    """Puts of 1 KB, to be made one after the other."""
    prepare = putting(thread, 1)
    return [prepare() for _ in range(count)]


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
        puts = [prepared(thread, RATE_PUTS // THREADS) for thread in threads]
        began = time.perf_counter()
        list(pool.map(work, puts))
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
