"""The state of an aggregate at a version or a time, and the snapshots that bound the replay.

Snapshots are taken by beat, never by who appends: the hot path knows nothing of them. They follow from the events; one
that is deleted is taken anew.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from pydantic import TypeAdapter, ValidationError

from agents.errors import UnknownEvent
from agents.events import reading, rows
from agents.events.chain import microseconds
from agents.events.digests import canonical
from agents.events.folds import ApprovalState, ConversationState, MemoryState, SessionState, State, apply, fold
from agents.models import EventHead, EventSnapshot

log = logging.getLogger(__name__)

EVERY = 200  # events from one snapshot to the next
FORM = 1  # of folded states: whoever changes `folds` raises it, and snapshots of the form before are taken anew
_STATES: dict[str, TypeAdapter[Any]] = {
    "session": TypeAdapter(SessionState),
    "approval": TypeAdapter(ApprovalState),
    "memory": TypeAdapter(MemoryState),
    "communication": TypeAdapter(ConversationState),
}
_DUE = """
SELECT h.aggregate_id FROM agent_event_heads h
WHERE h.version >= %(every)s AND h.aggregate_type = ANY(%(types)s) AND NOT EXISTS (
    SELECT FROM event_snapshots s
    WHERE s.aggregate_type = h.aggregate_type AND s.aggregate_id = h.aggregate_id
      AND s.version > h.version - %(every)s AND s.snapshot_data->>'form' = %(form)s)
LIMIT %(most)s"""


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a replay begins."""

    version: int = 0
    state: State | None = None


def state_at(aggregate_id: UUID, *, version: int | None = None, time: datetime | None = None) -> State | None:
    """The state of an aggregate at a version, at a time, or now; None before its first event. Raises UnknownEvent."""
    head = EventHead.objects.filter(pk=aggregate_id).first()
    if head is None:
        return None
    start = _start(head, version, time)
    events = reading.load(aggregate_id, after=start.version, until_version=version, until_time=time)
    return fold(events, start.state)


def _start(head: EventHead, version: int | None, time: datetime | None) -> _Start:
    found = EventSnapshot.objects.filter(
        aggregate_type=head.aggregate_type, aggregate_id=head.aggregate_id, snapshot_data__form=FORM
    )
    if version is not None:
        found = found.filter(version__lte=version)
    if time is not None:
        found = found.filter(snapshot_data__at__lte=microseconds(time))
    snapshot = found.order_by("-version").first()
    if snapshot is None:
        return _Start()
    try:
        state = _STATES[head.aggregate_type].validate_python(snapshot.snapshot_data["state"])
    except (ValidationError, KeyError):  # it was damaged: `events verify` says so
        log.warning("The snapshot %s cannot be read; the events are replayed.", snapshot.pk)
        return _Start()
    return _Start(snapshot.version, state)


def told(state: State | None) -> bytes:
    """A state as it stands in a snapshot, as canonical JSON."""
    return canonical(asdict(state)) if state else b"null"


def drop_snapshots(aggregate_id: UUID) -> None:
    """Delete the snapshots of an aggregate: it is replayed from its first event until they are taken anew."""
    EventSnapshot.objects.filter(aggregate_id=aggregate_id).delete()


def take_snapshots(most: int = 500) -> int:
    """Take the snapshots that are due of up to `most` aggregates; how many were taken."""
    taken = 0
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"every": EVERY, "form": str(FORM), "types": list(_STATES), "most": most})
        due = [row[0] for row in cursor.fetchall()]
    for aggregate_id in due:
        try:
            taken += _take(EventHead.objects.get(pk=aggregate_id))
        except (UnknownEvent, rows.ArchiveUnreadable):
            log.warning("No snapshot can be taken of %s.", aggregate_id, exc_info=True)
    return taken


def _take(head: EventHead) -> int:
    """Snapshots at each multiple of `EVERY` behind the last one. Of two who take the same, one stays."""
    EventSnapshot.objects.filter(aggregate_type=head.aggregate_type, aggregate_id=head.aggregate_id).exclude(
        snapshot_data__form=FORM
    ).delete()
    start = _start(head, None, None)
    state, taken = start.state, 0
    for stored in reading.load(head.aggregate_id, after=start.version):
        state = apply(state, stored)
        if stored.version % EVERY == 0 and state is not None:
            data = {"form": FORM, "at": microseconds(stored.at), "state": asdict(state)}
            EventSnapshot.objects.bulk_create(
                [
                    EventSnapshot(
                        project_id=head.project_id,
                        aggregate_type=head.aggregate_type,
                        aggregate_id=head.aggregate_id,
                        version=stored.version,
                        snapshot_data=orjson.loads(canonical(data)),
                    )
                ],
                ignore_conflicts=True,
            )
            taken += 1
    return taken
