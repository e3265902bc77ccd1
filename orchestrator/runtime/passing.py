"""What stops an agent, past all that would take it for a tool's error.

A graph's tool nodes and middleware may turn errors of tools into messages for the model. That the agent rests, has lost
its lease or was stopped is none. LangGraph lets its own signals pass through all of them, so ours travel as one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from langgraph.errors import GraphBubbleUp

from agents.checkpoints.connections import DATABASE_AWAY
from agents.errors import Fenced, HandedBack, LedgerConflict, Resting, Stopped

_STOPS = (Fenced, HandedBack, LedgerConflict, Resting, Stopped, *DATABASE_AWAY)


class _Passing(GraphBubbleUp):
    def __init__(self, why: Exception) -> None:
        super().__init__(str(why))
        self.why = why


@contextmanager
def wrapped() -> Iterator[None]:
    """What stops an agent in this block leaves it as a signal of LangGraph's."""
    try:
        yield
    except _STOPS as error:
        raise _Passing(error) from error


@contextmanager
def unwrapped() -> Iterator[None]:
    """Outside of the graph it is itself again."""
    try:
        yield
    except _Passing as passing:
        raise passing.why from None
