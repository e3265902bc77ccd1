"""Reads of a session's latest state, against reading the plain row of the same session."""

import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph, add_messages

from agents.checkpoints.saver import QueenrightSaver
from agents.models import AgentState, Project, User
from benchmarks import missions, tables

MESSAGES = (1, 100)
READS = 200
ROUNDS = 5


class State(TypedDict):
    """A conversation."""

    messages: Annotated[list[AnyMessage], add_messages]


def run(project: Project, user: User) -> list[tuple[str, float, float]]:
    """For each size: its name, reads of the state a second, reads of the plain row a second; medians of rounds."""
    return [_one_size(project, user, count) for count in MESSAGES]


def _one_size(project: Project, user: User, count: int) -> tuple[str, float, float]:
    session = missions.idle_session(project, user)
    saver = QueenrightSaver()
    config: RunnableConfig = {"configurable": {"thread_id": str(session)}}
    _graph(saver).invoke({"messages": _messages(count)}, config)

    def state() -> Any:
        return saver.get_tuple(config)

    def row() -> Any:
        return AgentState.objects.filter(session_id=session, is_current=True).values_list("state_id").get()

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


def table(results: list[tuple[str, float, float]]) -> str:
    """Reads a second, and how many plain rows one state costs."""
    rows = [(name, f"{states:.0f}", f"{plain:.0f}", f"{plain / states:.2f}") for name, states, plain in results]
    return tables.table(
        f"Reads of a session's latest state, one thread, {ROUNDS} rounds of {READS} interleaved",
        ("state", "states a second", "plain rows a second (ORM)", "rows for one state"),
        rows,
    )
