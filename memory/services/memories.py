"""Memories: made once, with their origin, and forgotten."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from agents.actor import SYSTEM, Actor, agent
from agents.errors import InvalidInput, NotFound
from agents.events import store
from agents.events.digests import text_digest
from agents.events.store import Entry
from agents.events.types import MemoryChanged
from agents.models import AgentSession
from agents.storable import storable_text
from memory import embedders
from memory.models import AgentMemory, MissionPassage
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

    The text is embedded before the transaction begins. Where the same has expired, it is remembered anew. Raises
    InvalidInput when there is nothing to remember, or the passage is not the project's.
    """
    text = storable_text(note.text).strip()
    if not text:
        raise InvalidInput(fields={"text": "There is nothing to remember."})
    if (
        note.passage_id
        and not MissionPassage.objects.filter(pk=note.passage_id, project_id=session.project_id).exists()
    ):
        raise InvalidInput(fields={"passage_id": "This project has no such passage."})
    embedder = embedders.active()
    (vector,) = embedder.embed([text])
    key = {
        "project_id": session.project_id,
        "namespace": list(note.namespace),
        "content_hash": text_digest(text),
        "key": None,  # an item of the store may say the same
    }
    with transaction.atomic():
        drop(AgentMemory.objects.filter(**key, expires_at__lte=timezone.now()), SYSTEM, "expired")
        memory, is_new = AgentMemory.objects.get_or_create(
            **key,
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
            store.record_all([changed(memory, "remembered", agent(session.pk))])
    return memory


def forget(memory_id: UUID, *, actor: Actor) -> None:
    """Delete a memory; that it was there and that it went stays in the events. Raises NotFound."""
    with transaction.atomic():
        if not drop(AgentMemory.objects.filter(pk=memory_id), actor, "forgotten"):
            raise NotFound


def drop_expired(most: int = 500, *, project_id: UUID | None = None) -> int:
    """Delete up to `most` memories whose time is up, of one project or all; how many."""
    expired = AgentMemory.objects.filter(expires_at__lte=timezone.now())
    if project_id:
        expired = expired.filter(project_id=project_id)
    chosen = list(expired.order_by("expires_at").values_list("pk", flat=True)[:most])
    with transaction.atomic():  # asked again under the lock: an item's time may have been prolonged meanwhile
        return drop(AgentMemory.objects.filter(pk__in=chosen, expires_at__lte=timezone.now()), SYSTEM, "expired")


def drop(found: QuerySet[AgentMemory], actor: Actor, change: str) -> int:
    """Delete memories, each with its event; how many. Another who deletes them at once finds them gone."""
    gone = list(
        found.select_related("session")
        .defer("content_vector", "search", "value", "value_exact")
        .order_by("pk")
        .select_for_update(of=("self",))
    )
    AgentMemory.objects.filter(pk__in=[memory.pk for memory in gone]).delete()
    store.record_all([changed(memory, change, actor) for memory in gone])
    return len(gone)


def changed(memory: AgentMemory, change: str, actor: Actor) -> Entry:
    """The event of a change. A memory whose agent is gone belongs to no mission, and correlates with itself."""
    event = MemoryChanged(
        session_id=memory.session_id, change=change, memory_type=memory.memory_type, digest=memory.content_hash
    )
    mission_id = memory.session.root_id if memory.session else memory.pk
    return Entry(event, memory.pk, memory.project_id, mission_id, actor)
