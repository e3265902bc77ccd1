"""Events of an aggregate as they are read: in their types of today, wherever they are kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from agents.events import rows
from agents.events.rows import Row
from agents.events.types import Event
from agents.events.upcasting import typed
from agents.models import EventHead


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it was stored, in its type of today."""

    event_id: UUID
    aggregate_id: UUID
    version: int
    at: datetime
    actor: str
    mission_id: UUID
    causation_id: UUID | None
    event: Event

    @classmethod
    def of(cls, row: Row) -> "Stored":
        """The event of a row. Raises UnknownEvent."""
        return cls(
            row.event_id,
            row.aggregate_id,
            row.version,
            row.at,
            row.metadata.get("actor", ""),
            row.correlation_id,
            row.causation_id,
            typed(row.event_type, row.schema, row.data),
        )


def load(
    aggregate_id: UUID,
    *,
    after: int = 0,
    until_version: int | None = None,
    until_time: datetime | None = None,
) -> Iterator[Stored]:
    """The events of an aggregate in order, archived ones too: those behind version `after`, up to a version or time.

    Raises UnknownEvent at the first that is of a type or version that is not known.
    """
    head = EventHead.objects.filter(pk=aggregate_id).first()
    if head is None:
        return
    for row in takewhile(
        lambda row: (
            (until_version is None or row.version <= until_version) and (until_time is None or row.at <= until_time)
        ),
        rows.of_head(head, after=after),
    ):
        yield Stored.of(row)
