"""Appends events in the transaction of the change, and tells listeners after commit. `load` reads them back."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agents.actor import Actor
from agents.errors import HeadMoved
from agents.events import causes, chain, rows
from agents.events.digests import canonical
from agents.events.reading import load as load  # who appends, reads here too
from agents.events.types import Event
from agents.ids import new_id
from agents.models import AgentSession, EventHead

# One statement: the head's row is locked, its version, time and hash go on, the event takes them. An aggregate's time
# never goes back, so that its state at a time is its state at a version.
_APPEND = """
WITH head AS (
    INSERT INTO agent_event_heads AS h (aggregate_id, aggregate_type, project_id, version, at, hash)
    SELECT %(aggregate_id)s::uuid, %(aggregate_type)s, %(project_id)s::uuid, 1, now.at, sha256(convert_to(
        '1:' || (extract(epoch FROM now.at) * 1000000)::bigint || ':' || %(body)s, 'UTF8'))
    FROM (SELECT coalesce(%(at)s::timestamptz, clock_timestamp()) AS at) AS now
    {if_new}
    ON CONFLICT (aggregate_id) DO UPDATE SET version = h.version + 1, at = greatest(h.at, excluded.at),
        hash = sha256(h.hash || convert_to((h.version + 1) || ':'
            || (extract(epoch FROM greatest(h.at, excluded.at)) * 1000000)::bigint || ':' || %(body)s, 'UTF8'))
    {if_known}
    RETURNING version, at, hash
)
INSERT INTO agent_events (event_id, project_id, event_type, aggregate_id, aggregate_type, event_data, metadata,
                          timestamp, version, correlation_id, causation_id, hash)
SELECT %(event_id)s::uuid, %(project_id)s::uuid, %(event_type)s, %(aggregate_id)s::uuid, %(aggregate_type)s,
       %(data)s::jsonb, %(metadata)s::jsonb,
       head.at, head.version, %(correlation_id)s::uuid,
       %(causation_id)s::uuid, head.hash
FROM head"""
APPEND = _APPEND.format(if_new="", if_known="")
APPEND_TO_VERSION = _APPEND.format(
    if_new="""WHERE %(expected_version)s = 0
        OR EXISTS (SELECT FROM agent_event_heads WHERE aggregate_id = %(aggregate_id)s::uuid)""",
    if_known="WHERE h.version = %(expected_version)s",
)


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
    event_id: UUID | None = None
    expected_version: int | None = None  # of the aggregate before this event; 0: there was none


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
    event_id: UUID | None = None,
    expected_version: int | None = None,
) -> UUID:
    """Append `event` to a session's chain, or to `aggregate_id`'s where it belongs to another aggregate.

    The caller holds the aggregate's row. What an agent does is caused by the move that set it going, unless
    `causes` knows better. Returns the event's id. Raises HeadMoved when the aggregate is not at `expected_version`.
    """
    cause = causation_id or causes.cause()
    if cause is None and actor.id == session.pk and session.move_id != event_id:
        cause = session.move_id
    entry = Entry(
        event,
        aggregate_id or session.pk,
        session.project_id,
        session.root_id,
        actor,
        cause,
        event_id=event_id,
        expected_version=expected_version,
    )
    return record_all([entry])[0]


def record_all(entries: Iterable[Entry]) -> list[UUID]:
    """Append events of several aggregates at once, in order of aggregate so that two writers cannot deadlock.

    Raises HeadMoved when one of them is not at the version that its entry expects; then nothing is written.
    """
    ordered = sorted(entries, key=lambda entry: entry.aggregate_id)
    if not ordered:
        return []
    filled = [_row(entry) for entry in ordered]
    if any(entry.expected_version is not None for entry in ordered):
        _append_to_versions(filled)
    else:
        with connection.cursor() as cursor:
            cursor.executemany(APPEND, filled)
    recorded = [
        Recorded(row["event_id"], entry.project_id, entry.mission_id, entry.aggregate_id, entry.event)
        for row, entry in zip(filled, ordered, strict=True)
    ]
    for listener in _listeners:
        transaction.on_commit(_telling(listener, recorded), robust=True)
    return [row["event_id"] for row in filled]


def _append_to_versions(filled: Sequence[dict[str, Any]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for row in filled:
            cursor.execute(APPEND if row["expected_version"] is None else APPEND_TO_VERSION, row)
            if not cursor.rowcount:
                head = EventHead.objects.filter(pk=row["aggregate_id"]).first()
                raise HeadMoved(
                    aggregate_id=row["aggregate_id"],
                    expected=row["expected_version"],
                    version=head.version if head else 0,
                )


def adopt(entries: Iterable[Entry]) -> None:
    """Append events that happened elsewhere, each with its time `at`. Nobody is told of them: they are old."""
    with connection.cursor() as cursor:
        cursor.executemany(APPEND, [_row(entry) for entry in entries])


def _telling(listener: Listener, recorded: Sequence[Recorded]) -> Callable[[], None]:
    def tell() -> None:  # a function, not a partial: Django logs a robust hook that fails by its __qualname__
        listener(recorded)

    return tell


def _row(entry: Entry) -> dict[str, Any]:
    event_id = entry.event_id or new_id()
    causation_id = entry.causation_id or causes.cause()
    data = asdict(entry.event)
    metadata: dict[str, Any] = {"actor": str(entry.actor)}
    if entry.origin:
        metadata["origin"] = entry.origin
    if entry.event.schema > 1:
        metadata[rows.SCHEMA] = entry.event.schema
    return {
        "event_id": event_id,
        "project_id": entry.project_id,
        "event_type": entry.event.event_type,
        "aggregate_id": entry.aggregate_id,
        "aggregate_type": entry.event.aggregate_type,
        "data": canonical(data).decode(),
        "metadata": canonical(metadata).decode(),
        "correlation_id": entry.mission_id,
        "causation_id": causation_id,
        "at": entry.at,
        "expected_version": entry.expected_version,
        "body": chain.body(
            event_id,
            entry.event.event_type,
            entry.aggregate_id,
            data,
            metadata,
            entry.mission_id,
            causation_id,
            entry.project_id,
        ).decode(),
    }


def first_break(aggregate_id: UUID) -> int | None:
    """The first version of an aggregate's chain that is missing or was changed; None for a sound chain."""
    head = EventHead.objects.filter(pk=aggregate_id).first()
    if head is None:
        return None
    walk = chain.Chain()
    for row in rows.of_head(head):
        if walk.fault(row):
            return walk.version + 1
    return walk.version + 1 if walk.fault_of_head(head.version, bytes(head.hash)) else None
