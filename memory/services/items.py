"""Items of a project's store: put and deleted, each with its event."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected

from agents.actor import SYSTEM
from agents.checkpoints.connections import raw_cursor
from agents.events import store
from agents.events.types import MemoryChanged
from agents.ids import new_id
from memory.models import AgentMemory
from memory.services import memories
from memory.words import MemoryType

TRIES = 5  # of a write that PostgreSQL ended to resolve a deadlock

# An item that has expired is as good as gone, so that what takes its place is new.
PUT = """
INSERT INTO agent_memory AS m (
    memory_id, project_id, namespace, key, value, value_exact, memory_type, content_text, content_hash, content_vector,
    further_vectors, embedder, importance_score, ttl_minutes, expires_at, created_at, updated_at)
SELECT %(id)s::uuid, %(project)s::uuid, %(namespace)s::text[], %(key)s, %(value)s::jsonb, %(exact)s, %(type)s,
       %(text)s, %(hash)s, %(vector)s::vector,
       %(further)s, %(embedder)s, 0.5, %(ttl)s::float8, at + %(ttl)s::float8 * interval '1 minute', at, at
FROM clock_timestamp() AS at
ON CONFLICT (memory_id) DO UPDATE SET
    value = excluded.value, value_exact = excluded.value_exact, content_text = excluded.content_text,
    content_hash = excluded.content_hash, content_vector = excluded.content_vector,
    further_vectors = excluded.further_vectors, embedder = excluded.embedder,
    ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at, updated_at = excluded.updated_at,
    created_at = CASE WHEN m.expires_at <= excluded.updated_at THEN excluded.created_at ELSE m.created_at END
RETURNING created_at = updated_at"""
LOCK = "SELECT FROM agent_memory WHERE memory_id = ANY(%s) ORDER BY memory_id FOR NO KEY UPDATE"
DROP_VECTORS = "DELETE FROM agent_memory_vectors WHERE memory_id = ANY(%s)"
ADD_VECTOR = "INSERT INTO agent_memory_vectors (vector_id, project_id, memory_id, vector) VALUES (%s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be put. `exact` is the value's own text where `jsonb` would change it; vectors are their texts."""

    item_id: UUID
    namespace: Sequence[str]
    key: str
    value: str
    exact: str | None
    text: str
    digest: str
    vectors: Sequence[str]
    embedder: str
    ttl_minutes: float | None


def write(project_id: UUID, items: Collection[Item], deleted: Collection[UUID]) -> None:
    """Put items and delete others: all of it or nothing. Whoever writes the same at once comes before or after."""
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                _write(project_id, sorted(items, key=lambda item: item.item_id), sorted(deleted))
        except OperationalError as error:
            is_lost = connection.in_atomic_block or not tries_left  # a caller's transaction is not ours to begin anew
            if is_lost or not isinstance(error.__cause__, DeadlockDetected):
                raise
        else:
            return


def _write(project_id: UUID, items: Sequence[Item], deleted: Sequence[UUID]) -> None:
    with raw_cursor(connection) as cursor:
        if len(items) + len(deleted) > 1:  # in one order, so that two writers rarely wait for each other
            cursor.execute(LOCK, [sorted([*deleted, *(item.item_id for item in items)])])
        if items:
            cursor.executemany(PUT, [_row(project_id, item) for item in items], returning=True)
            news = [bool(is_new) for result in cursor.results() for (is_new,) in result]
            cursor.execute(DROP_VECTORS, [[item.item_id for item in items]])
            further = [(new_id(), project_id, item.item_id, vector) for item in items for vector in item.vectors[1:]]
            cursor.executemany(ADD_VECTOR, further)
            store.record_all([_put(project_id, item, is_new) for item, is_new in zip(items, news, strict=True)])
    if deleted:
        memories.drop(AgentMemory.objects.filter(pk__in=deleted), SYSTEM, "forgotten")


def _row(project_id: UUID, item: Item) -> dict[str, Any]:
    return {
        "id": item.item_id,
        "project": project_id,
        "namespace": list(item.namespace),
        "key": item.key,
        "value": item.value,
        "exact": item.exact,
        "type": str(MemoryType.SEMANTIC),
        "text": item.text,
        "hash": item.digest,
        "vector": item.vectors[0] if item.vectors else None,
        "further": max(len(item.vectors) - 1, 0),
        "embedder": item.embedder if item.vectors else "",
        "ttl": item.ttl_minutes,
    }


def _put(project_id: UUID, item: Item, is_new: bool) -> store.Entry:
    event = MemoryChanged(
        session_id=None,
        change="remembered" if is_new else "changed",
        memory_type=MemoryType.SEMANTIC,
        digest=item.digest,
    )
    return store.Entry(event, item.item_id, project_id, item.item_id, SYSTEM)
