"""Reads of a session's latest state, against reading the plain row of the same session; reads and writes of many."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph, add_messages

from agents.actor import SYSTEM
from agents.checkpoints.saver import QueenrightSaver
from agents.models import AgentState, Project, User
from agents.roles import Level
from agents.services import sessions
from agents.services.sessions import Start
from benchmarks import tables
from benchmarks.contenders import Thread, config_of, message

MESSAGES = (1, 100)
CLIENTS = 8
READS = 200
ROUNDS = 5


class State(TypedDict):
    """A conversation."""

    messages: Annotated[list[AnyMessage], add_messages]


def run(project: Project, user: User) -> list[tuple[str, float, float]]:
    """For each size: its name, reads of the state a second, reads of the plain row a second; medians of rounds."""
    return [_one_size(project, user, count) for count in MESSAGES]


def _one_size(project: Project, user: User, count: int) -> tuple[str, float, float]:
    start = Start("bench.worker", Level.WORKER, "reads", "", {})
    session = sessions.start_mission(project, start, user=user, actor=SYSTEM)
    saver = QueenrightSaver()
    config: RunnableConfig = {"configurable": {"thread_id": str(session.pk)}}
    _graph(saver).invoke({"messages": _messages(count)}, config)

    def state() -> Any:
        return saver.get_tuple(config)

    def row() -> Any:
        return AgentState.objects.filter(session_id=session.pk, is_current=True).values_list("state_id").get()

    rounds = [(_rate(state), _rate(row)) for _ in range(ROUNDS)]
    return (
        f"{count} message{'s' if count > 1 else ''}",
        statistics.median(states for states, _ in rounds),
        statistics.median(rows for _, rows in rounds),
    )


def _rate(read: Callable[[], Any]) -> float:
    read()
    began = time.perf_counter()
    for _ in range(READS):
        read()
    return READS / (time.perf_counter() - began)


def _graph(saver: QueenrightSaver) -> Any:
    graph = StateGraph(State)
    graph.add_node("speak", lambda state: {"messages": [AIMessage("done")]})
    graph.add_edge(START, "speak")
    graph.add_edge("speak", END)
    return graph.compile(checkpointer=saver)


def _messages(count: int) -> list[HumanMessage]:
    return [HumanMessage(f"message {number} " + "with some words in it " * 10) for number in range(count)]


def by_clients(project: Project, user: User) -> tuple[float, float, float]:
    """States read and written a second by clients at once, each of its own session; medians of a read and a write, ms.

    A client reads its latest state, and puts the next one on top of it.
    """
    saver = QueenrightSaver()
    threads = [_thread(project, user, saver) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        began = time.perf_counter()
        taken = list(pool.map(_reads_and_writes, threads))
        took = time.perf_counter() - began
    reads = [one for each in taken for one in each[0]]
    writes = [one for each in taken for one in each[1]]
    return (len(reads) + len(writes)) / took, statistics.median(reads), statistics.median(writes)


def _thread(project: Project, user: User, saver: QueenrightSaver) -> Thread:
    begun = Start("bench.worker", Level.WORKER, "clients", "", {})
    thread = Thread(saver)
    session = sessions.start_mission(project, begun, user=user, actor=SYSTEM)
    thread.start = thread.config = config_of(str(session.pk))
    thread.put({"messages": [message(number) for number in range(10)], "step": 0}, ["messages", "step"])
    return thread


def _reads_and_writes(thread: Thread) -> tuple[list[float], list[float]]:
    reads: list[float] = []
    writes: list[float] = []
    for step in range(READS):
        began = time.perf_counter()
        found = thread.saver.get_tuple(thread.start)
        read = time.perf_counter()
        said = [*(found.checkpoint["channel_values"]["messages"] if found else []), message(step)][-10:]
        put = thread.next({"messages": said, "step": step}, ["messages", "step"])
        made = time.perf_counter()
        put()
        reads.append((read - began) * 1000)
        writes.append((time.perf_counter() - made) * 1000)
    return reads, writes


def clients_table(found: tuple[float, float, float]) -> str:
    """The three figures."""
    rate, read, write = found
    return tables.table(
        f"{CLIENTS} clients that read and write states of ten messages in turn",
        ("", "states a second", "a read, median", "a write, median"),
        [(f"{CLIENTS} clients", f"{rate:,.0f}", f"{read:.2f} ms", f"{write:.2f} ms")],
    )


def table(results: list[tuple[str, float, float]]) -> str:
    """Reads a second, and how many plain rows one state costs."""
    rows = [(name, f"{states:.0f}", f"{plain:.0f}", f"{plain / states:.2f}") for name, states, plain in results]
    return tables.table(
        f"Reads of a session's latest state, one thread, {ROUNDS} rounds of {READS} interleaved",
        ("state", "states a second", "plain rows a second (ORM)", "rows for one state"),
        rows,
    )
