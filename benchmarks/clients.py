"""Clients at once, a process each, that read and write their states: ours beside LangGraph's PostgresSaver."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from uuid import UUID

from langchain_core.messages import AnyMessage
from langgraph.checkpoint.postgres import PostgresSaver

from agents.checkpoints import QueenrightSaver
from agents.models import Project, User
from benchmarks import client, missions, tables
from benchmarks.contenders import OURS, THEIRS, Thread, config_of, dsn, message

CLIENTS = 8
ROUNDS = 5
STEPS = 500  # of a client: a read and a write each


@dataclass(frozen=True)
class Taken:
    """Milliseconds of each read and write of a client, and when, by the machine's clock, it began and ended."""

    reads: list[float]
    writes: list[float]
    began: float
    ended: float


@dataclass(frozen=True)
class Round:
    """States read and written a second by all, and the medians of a read and a write, ms."""

    rate: float
    read: float
    write: float


def run(project: Project, user: User) -> dict[str, list[Round]]:
    """The rounds of each saver, interleaved. A client reads its latest state, and puts the next one on top of it."""
    address = dsn()
    with PostgresSaver.from_conn_string(address) as theirs:
        theirs.setup()
    rounds: dict[str, list[Round]] = {OURS: [], THEIRS: []}
    for _ in range(ROUNDS):
        for saver, taken in rounds.items():
            taken.append(_round([missions.idle_session(project, user) for _ in range(CLIENTS)], saver, address))
    return rounds


def _round(sessions: Sequence[UUID], saver: str, address: str) -> Round:
    spawning = get_context("spawn")
    ready = spawning.Barrier(len(sessions))
    with ProcessPoolExecutor(len(sessions), spawning, client.begin, (ready, saver, address)) as pool:
        found = list(pool.map(client.work, sessions))
    reads = [one for each in found for one in each.reads]
    writes = [one for each in found for one in each.writes]
    took = max(each.ended for each in found) - min(each.began for each in found)
    return Round((len(reads) + len(writes)) / took, statistics.median(reads), statistics.median(writes))


def one(session: UUID, saver: str, address: str, ready: Barrier) -> Taken:
    """What one client measures, from when all are ready."""
    if saver == OURS:
        return _measured(Thread(QueenrightSaver()), session, ready)
    with PostgresSaver.from_conn_string(address) as theirs:
        return _measured(Thread(theirs), session, ready)


def _measured(thread: Thread, session: UUID, ready: Barrier) -> Taken:
    thread.start = thread.config = config_of(str(session))
    thread.put({"messages": [message(number) for number in range(10)], "step": 0}, ["messages", "step"])
    thread.saver.get_tuple(thread.start)
    words = [message(number) for number in range(STEPS)]
    ready.wait()
    began = time.time()
    reads, writes = _reads_and_writes(thread, words)
    return Taken(reads, writes, began, time.time())


def _reads_and_writes(thread: Thread, words: Sequence[AnyMessage]) -> tuple[list[float], list[float]]:
    reads: list[float] = []
    writes: list[float] = []
    for step, said in enumerate(words):
        began = time.perf_counter()
        found = thread.saver.get_tuple(thread.start)
        read = time.perf_counter()
        messages = [*(found.checkpoint["channel_values"]["messages"] if found else []), said][-10:]
        put = thread.next({"messages": messages, "step": step}, ["messages", "step"])
        made = time.perf_counter()
        put()
        reads.append((read - began) * 1000)
        writes.append((time.perf_counter() - made) * 1000)
    return reads, writes


def table(rounds: dict[str, list[Round]]) -> str:
    """Medians of the rounds, and the ratio of their rates to PostgresSaver's."""
    theirs = statistics.median(one.rate for one in rounds[THEIRS])
    rows = []
    for saver, taken in rounds.items():
        rates = [one.rate for one in taken]
        rows.append(
            (
                saver,
                f"{statistics.median(rates):,.0f}",
                f"{min(rates):,.0f} to {max(rates):,.0f}",
                f"{statistics.median(rates) / theirs:.2f}",
                f"{statistics.median(one.read for one in taken):.2f} ms",
                f"{statistics.median(one.write for one in taken):.2f} ms",
            )
        )
    return tables.table(
        f"{CLIENTS} clients, a process each, that read and write states of ten messages in turn, {ROUNDS} rounds",
        ("", "states a second", "range", "ratio", "a read, median", "a write, median"),
        rows,
    )
