"""Stored events as they are, whether they stand in the table of events or in an archive."""

import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models import QuerySet
from pydantic import TypeAdapter

from agents.events.digests import canonical
from agents.models import AgentEvent, EventArchive, EventHead

SCHEMA = "schema"  # in the metadata of an event: the version of its kind, unless it is the first


@dataclass(frozen=True, slots=True)
class Row:
    """One stored event."""

    event_id: UUID
    project_id: UUID
    event_type: str
    aggregate_id: UUID
    aggregate_type: str
    data: dict[str, Any]
    metadata: dict[str, Any]
    at: datetime
    version: int
    correlation_id: UUID
    causation_id: UUID | None
    hash: bytes
    transaction_id: int
    position: int

    @property
    def schema(self) -> int:
        """Which version of its kind it was written in."""
        return int(self.metadata.get(SCHEMA, 1))


_FIELDS = [field.name for field in fields(Row)]
_COLUMNS = [{"data": "event_data", "at": "timestamp"}.get(name, name) for name in _FIELDS]
_PACKED = TypeAdapter(Row)


class ArchiveUnreadable(Exception):
    """A part of an archive is not what was written."""


def of_query(events: "QuerySet[AgentEvent]") -> Iterator[Row]:
    """The rows of a query, a few at a time."""
    for row in events.values_list(*_COLUMNS).iterator(chunk_size=1000):
        told: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
        told |= {"hash": bytes(told["hash"]), "transaction_id": int(told["transaction_id"])}
        yield Row(**told)


def of_head(head: EventHead, *, after: int = 0) -> Iterator[Row]:
    """The events of an aggregate with a version above `after`, in order. Raises ArchiveUnreadable."""
    if after < head.archived_version:
        for row in of_archive(head.aggregate_id):
            if row.version > after:
                yield row
    yield from of_query(
        AgentEvent.objects.filter(
            aggregate_type=head.aggregate_type,
            aggregate_id=head.aggregate_id,
            version__gt=max(after, head.archived_version),
        ).order_by("version")
    )


def of_archive(aggregate_id: UUID) -> Iterator[Row]:
    """The archived events of an aggregate, in order. Raises ArchiveUnreadable."""
    parts = EventArchive.objects.filter(aggregates__contains=[aggregate_id]).order_by("mission_id", "part")
    for part in parts.iterator(chunk_size=1):
        yield from unpacked(part, aggregate_id)


def archived(mission_id: UUID, event_types: Collection[str]) -> Iterator[Row]:
    """The archived events of a mission that are of these types. Raises ArchiveUnreadable."""
    for part in EventArchive.objects.filter(mission_id=mission_id).order_by("part").iterator(chunk_size=1):
        for row in unpacked(part):
            if row.event_type in event_types and row.correlation_id == mission_id:
                yield row


def packed(rows: Sequence[Row]) -> bytes:
    """Rows as a line of canonical JSON each, compressed."""
    return zlib.compress(b"\n".join(canonical({**asdict(row), "hash": row.hash.hex()}) for row in rows))


def unpacked(part: EventArchive, aggregate_id: UUID | None = None) -> Iterator[Row]:
    """The rows of a part of an archive, in order, or those of one aggregate. Raises ArchiveUnreadable."""
    wanted = str(aggregate_id or "").encode()
    try:
        for line in zlib.decompress(bytes(part.body)).split(b"\n"):
            if wanted not in line:  # most are of others: not even parsed
                continue
            told = orjson.loads(line)
            row = _PACKED.validate_python({**told, "hash": bytes.fromhex(told["hash"])})
            if aggregate_id in (None, row.aggregate_id):
                yield row
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise ArchiveUnreadable(f"Part {part.part} of the archive of {part.mission_id} cannot be read.") from error
