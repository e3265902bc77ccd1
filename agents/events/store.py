"""Appends events in the transaction of the change, and tells listeners after commit."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agents.actor import Actor
from agents.events.digests import canonical
from agents.events.types import Event
from agents.ids import new_id
from agents.models import AgentEvent, AgentSession, EventHead

# One statement: the head's row is locked, its version and hash go on, the event takes both.
APPEND = """
WITH head AS (
    INSERT INTO agent_event_heads AS h (aggregate_id, aggregate_type, project_id, version, hash)
    VALUES (%(aggregate_id)s, %(aggregate_type)s, %(project_id)s, 1,
            sha256(convert_to('1:' || %(body)s, 'UTF8')))
    ON CONFLICT (aggregate_id) DO UPDATE SET version = h.version + 1,
        hash = sha256(h.hash || convert_to((h.version + 1) || ':' || %(body)s, 'UTF8'))
    RETURNING version, hash
)
INSERT INTO agent_events (event_id, project_id, event_type, aggregate_id, aggregate_type, event_data, metadata,
                          timestamp, version, correlation_id, causation_id, hash)
SELECT %(event_id)s::uuid, %(project_id)s::uuid, %(event_type)s, %(aggregate_id)s::uuid, %(aggregate_type)s,
       %(data)s::jsonb, %(metadata)s::jsonb,
       coalesce(%(at)s::timestamptz, clock_timestamp()), head.version, %(correlation_id)s::uuid,
       %(causation_id)s::uuid, head.hash
FROM head"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as listeners get it, after commit."""

    event_id: UUID
    project_id: UUID
    mission_id: UUID
    aggregate_id: UUID
    event: Event


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and what it happened to."""

    event: Event
    aggregate_id: UUID
    project_id: UUID
    mission_id: UUID
    actor: Actor
    causation_id: UUID | None = None
    at: datetime | None = None  # of what happened elsewhere, with who did it there
    origin: str = ""


Listener = Callable[[Sequence[Recorded]], None]
_listeners: list[Listener] = []


def on_recorded(listener: Listener) -> None:
    """Call `listener` with the events of each commit, after it. What it raises is logged and harms nothing."""
    if listener not in _listeners:
        _listeners.append(listener)


def record(
    event: Event,
    session: AgentSession,
    *,
    actor: Actor,
    aggregate_id: UUID | None = None,
    causation_id: UUID | None = None,
) -> UUID:
    """Append `event` to a session's chain, or to `aggregate_id`'s where it belongs to another aggregate.

    The caller holds the aggregate's row. Returns the event's id.
    """
    entry = Entry(event, aggregate_id or session.pk, session.project_id, session.root_id, actor, causation_id)
    return record_all([entry])[0]


def record_all(entries: Iterable[Entry]) -> list[UUID]:
    """Append events of several aggregates at once, in order of aggregate so that two writers cannot deadlock."""
    ordered = sorted(entries, key=lambda entry: entry.aggregate_id)
    if not ordered:
        return []
    rows = [_row(entry) for entry in ordered]
    with connection.cursor() as cursor:
        cursor.executemany(APPEND, rows)
    recorded = [
        Recorded(row["event_id"], entry.project_id, entry.mission_id, entry.aggregate_id, entry.event)
        for row, entry in zip(rows, ordered, strict=True)
    ]
    for listener in _listeners:
        transaction.on_commit(_telling(listener, recorded), robust=True)
    return [row["event_id"] for row in rows]


def adopt(entries: Iterable[Entry]) -> None:
    """Append events that happened elsewhere, each with its time `at`. Nobody is told of them: they are old."""
    with connection.cursor() as cursor:
        cursor.executemany(APPEND, [_row(entry) for entry in entries])


def _telling(listener: Listener, recorded: Sequence[Recorded]) -> Callable[[], None]:
    def tell() -> None:  # a function, not a partial: Django logs a robust hook that fails by its __qualname__
        listener(recorded)

    return tell


def _row(entry: Entry) -> dict[str, Any]:
    event_id = new_id()
    data = asdict(entry.event)
    metadata = {"actor": str(entry.actor)} | ({"origin": entry.origin} if entry.origin else {})
    return {
        "event_id": event_id,
        "project_id": entry.project_id,
        "event_type": entry.event.event_type,
        "aggregate_id": entry.aggregate_id,
        "aggregate_type": entry.event.aggregate_type,
        "data": canonical(data).decode(),
        "metadata": canonical(metadata).decode(),
        "correlation_id": entry.mission_id,
        "causation_id": entry.causation_id,
        "at": entry.at,
        "body": _body(
            event_id,
            entry.event.event_type,
            entry.aggregate_id,
            data,
            metadata,
            entry.mission_id,
            entry.causation_id,
        ).decode(),
    }


def _body(
    event_id: UUID,
    event_type: str,
    aggregate_id: UUID,
    data: dict[str, Any],
    metadata: dict[str, Any],
    correlation_id: UUID,
    causation_id: UUID | None,
) -> bytes:
    return canonical([event_id, event_type, aggregate_id, data, metadata, correlation_id, causation_id])


def first_break(aggregate_id: UUID) -> int | None:
    """The first version of an aggregate's chain that is missing or was changed; None for a sound chain."""
    known = b""
    version = 0
    for row in AgentEvent.objects.filter(aggregate_id=aggregate_id).order_by("version").iterator():
        version += 1
        body = _body(
            row.event_id,
            row.event_type,
            row.aggregate_id,
            row.event_data,
            row.metadata,
            row.correlation_id,
            row.causation_id,
        )
        known = hashlib.sha256(known + f"{version}:".encode() + body).digest()
        if row.version != version or known != bytes(row.hash):
            return version
    head = EventHead.objects.filter(pk=aggregate_id).first()
    return version + 1 if head and head.version != version else None
