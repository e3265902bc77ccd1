"""Memories: made once, with their origin, and forgotten."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from agents.actor import Actor, agent
from agents.events import store
from agents.events.digests import text_digest
from agents.events.types import MemoryChanged
from agents.models import AgentSession
from memory import embedders
from memory.models import AgentMemory
from memory.words import MemoryType


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be remembered. `importance` is 0 to 1; `namespace` keeps apart what should not meet."""

    text: str
    memory_type: MemoryType
    importance: float
    namespace: tuple[str, ...] = ()
    passage_id: UUID | None = None
    execution_id: UUID | None = None
    expires_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def remember(session: AgentSession, note: Note) -> AgentMemory:
    """Keep a note of a session; the same text in the same namespace stands once and keeps its first origin.

    The text is embedded before the transaction begins.
    """
    text = note.text.replace("\0", "").strip()
    embedder = embedders.active()
    (vector,) = embedder.embed([text])
    with transaction.atomic():
        memory, is_new = AgentMemory.objects.get_or_create(
            project_id=session.project_id,
            namespace=list(note.namespace),
            content_hash=text_digest(text),
            defaults={
                "session": session,
                "user_id": session.user_id,
                "memory_type": note.memory_type,
                "content_text": text,
                "content_vector": vector,
                "embedder": embedder.name,
                "importance_score": note.importance,
                "passage_id": note.passage_id,
                "execution_id": note.execution_id,
                "expires_at": note.expires_at,
                "metadata": note.metadata,
            },
        )
        if is_new:
            _record(memory, session, "remembered", agent(session.pk))
    return memory


def forget(memory: AgentMemory, *, actor: Actor) -> None:
    """Delete a memory; that it was there and that it went stays in the events."""
    with transaction.atomic():
        session = memory.session
        if session is not None:
            _record(memory, session, "forgotten", actor)
        memory.delete()


def _record(memory: AgentMemory, session: AgentSession, change: str, actor: Actor) -> None:
    store.record(
        MemoryChanged(
            session_id=session.pk,
            change=change,
            memory_type=memory.memory_type,
            digest=memory.content_hash,
        ),
        session,
        actor=actor,
        aggregate_id=memory.pk,
    )
