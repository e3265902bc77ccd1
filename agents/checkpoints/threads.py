"""LangGraph's names and our ids."""

import re
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID, uuid5

from langchain_core.runnables import RunnableConfig

CANONICAL_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEPT = 4096  # ids: those of one run come again and again
_THREADS = UUID("6f1a3c1e-3f0e-5d61-9a55-0d1c5c0f7a11")

EnsureThread = Callable[[UUID, str | None], None]
"""Makes the session row, with its value space, of a thread that has none.

Takes the session's id, and the thread's id where that is another text. May be called twice for one thread.
"""


def session_of(thread_id: object) -> tuple[UUID, str | None]:
    """The session of a thread, and the thread's own id where that is not a UUID: LangGraph takes any text."""
    return _session_of(str(thread_id))


@lru_cache(KEPT)
def _session_of(text: str) -> tuple[UUID, str | None]:
    session = canonical_uuid(text)
    return (session, None) if session else (uuid5(_THREADS, text), text)


def canonical_uuid(text: object) -> UUID | None:
    """The UUID whose usual text this is, or None."""
    return _canonical_uuid(str(text))


@lru_cache(KEPT)
def _canonical_uuid(text: str) -> UUID | None:
    return UUID(text) if CANONICAL_UUID.fullmatch(text) else None


def config_of(thread_id: str, checkpoint_ns: str, checkpoint_id: UUID | str) -> RunnableConfig:
    """The config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": thread_id,
            "checkpoint_ns": checkpoint_ns,
            "checkpoint_id": str(checkpoint_id),
        }
    }
