"""Finished missions' events, moved out of the table that everybody writes to.

An archive lies in the database and not in files: it is written in the transaction that deletes the events, so that
none is ever in both places or in neither, and a backup of the database has it. Heads stay, with version and hash: what
is archived is checked as it was before, and a mission that goes on appends to its chains.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, QuerySet

from agents.errors import DomainError
from agents.events import rows, stream
from agents.events.chain import Chain
from agents.events.rows import Row
from agents.lifecycle import FINAL
from agents.models import AgentEvent, AgentSession, EventArchive, EventHead

PART = 5_000  # events in one row: as many are in memory at once


class NotArchivable(DomainError):
    """The events of this mission cannot be archived."""

    code = "not_archivable"


@dataclass(frozen=True, slots=True)
class Archived:
    """What became of a mission's events. `refusal` says why nothing did, in words."""

    mission_id: UUID
    events: int = 0
    bytes: int = 0
    refusal: str = ""


def due(before: datetime) -> Iterator[UUID]:
    """Missions of which no agent has anything to do or has moved since `before`, and that have events to archive."""
    yield from _due(before).order_by("finished_at").values_list("pk", flat=True).iterator()


def _due(before: datetime) -> QuerySet[AgentSession]:
    alive = AgentSession.objects.filter(root=OuterRef("pk")).exclude(status__in=FINAL, moved_at__lt=before)
    events = AgentEvent.objects.filter(correlation_id=OuterRef("pk"))
    return AgentSession.objects.filter(~Exists(alive), Exists(events), parent__isnull=True)


def extent(mission_id: UUID) -> int:
    """How many events of a mission stand in the table of events."""
    return AgentEvent.objects.filter(correlation_id=mission_id).count()


def archive(mission_id: UUID, before: datetime) -> Archived:
    """Move the events of a mission that is due to its archive. Done twice it is done once.

    While it goes on, who appends to one of its aggregates waits, and then appends to what is archived. A mission that
    is not due any more is left, as is one whose chains are broken, and one that a consumer of the stream has not read.
    """
    try:
        with transaction.atomic():
            return _archive(mission_id, before)
    except (NotArchivable, rows.ArchiveUnreadable) as refusal:
        return Archived(mission_id, refusal=str(refusal))


def _archive(mission_id: UUID, before: datetime) -> Archived:
    heads = _locked_heads(mission_id)
    if not _due(before).filter(pk=mission_id).exists():  # asked again under the locks
        raise NotArchivable("It has gone on.")
    events = size = 0
    found = _sound(heads)
    while some := list(islice(found, PART)):
        _check_read(some)
        part = _write(mission_id, heads[0].project_id, some)
        events, size = events + part.events, size + len(part.body)
    for head in heads:
        AgentEvent.objects.filter(
            aggregate_type=head.aggregate_type, aggregate_id=head.aggregate_id, version__lte=head.version
        ).delete()
    EventHead.objects.filter(pk__in=[head.pk for head in heads]).update(archived_version=F("version"))
    return Archived(mission_id, events, size)


def _locked_heads(mission_id: UUID) -> list[EventHead]:
    aggregates = AgentEvent.objects.filter(correlation_id=mission_id).values("aggregate_id").distinct()
    return list(EventHead.objects.select_for_update().filter(pk__in=aggregates).order_by("pk"))


def _sound(heads: Sequence[EventHead]) -> Iterator[Row]:
    """The events that are not archived yet, one aggregate after the other. Raises NotArchivable where one is wrong."""
    for head in heads:
        chain = Chain()
        for row in rows.of_head(head):
            if fault := chain.fault(row):
                raise NotArchivable(f"{head.aggregate_type} {head.pk}: version {chain.version + 1} {fault}.")
            if row.version > head.archived_version:
                yield row
        if fault := chain.fault_of_head(head.version, bytes(head.hash)):
            raise NotArchivable(f"{head.aggregate_type} {head.pk}: version {chain.version + 1} {fault}.")


def _check_read(some: Sequence[Row]) -> None:
    last = max(some, key=lambda row: (row.transaction_id, row.position))
    if name := stream.who_is_behind(last):
        raise NotArchivable(f"The consumer {name} has not read its events yet.")


def _write(mission_id: UUID, project_id: UUID, some: Sequence[Row]) -> EventArchive:
    last = EventArchive.objects.filter(mission_id=mission_id).aggregate(last=Max("part"))["last"]
    return EventArchive.objects.create(
        project_id=project_id,
        mission_id=mission_id,
        part=(last or 0) + 1,
        aggregates=sorted({row.aggregate_id for row in some}),
        events=len(some),
        body=rows.packed(some),
    )
