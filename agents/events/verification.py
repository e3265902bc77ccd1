"""Checks all chains, and the live tables against them, while others write.

A few aggregates at a time are looked at in one read-only snapshot of the database, in which events, heads and rows
agree; nothing is locked, and no more than these are in memory.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from agents.errors import UnknownEvent
from agents.events import rows
from agents.events.chain import Chain
from agents.events.digests import canonical
from agents.events.folds import State, apply
from agents.events.history import FORM, told
from agents.events.projections import Projection, differences, place_of
from agents.events.reading import Stored
from agents.models import AgentEvent, EventArchive, EventHead, EventSnapshot

PAGE = 50  # aggregates


class Where(StrEnum):
    """Where a fault lies."""

    CHAIN = "chain"
    SNAPSHOT = "snapshot"
    ROW = "row"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was recorded. `version` names the first broken link of a chain, or the snapshot's."""

    where: Where
    aggregate_type: str
    aggregate_id: UUID
    words: str
    version: int | None = None

    def __str__(self) -> str:
        """As a line for people."""
        link = "" if self.version is None else f"version {self.version} "
        return f"{self.aggregate_type} {self.aggregate_id}: {link}{self.words}"


@contextmanager
def frozen() -> Iterator[None]:
    """Read the database as it is now, to the end of the block, without a lock."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


class Verification:
    """One pass over the aggregates of a mission, or of all. Counts what it has looked at."""

    def __init__(self, projections: Sequence[Projection], mission_id: UUID | None = None) -> None:
        """Rows are compared for the aggregates that have a projection."""
        self._projections = {one.aggregate_type: one for one in projections}
        self._mission_id = mission_id
        self.aggregates = 0
        self.events = 0

    def faults(self) -> Iterator[Fault]:
        """What is wrong, aggregate by aggregate: the first broken link of its chain, or its rows that differ."""
        last = UUID(int=0)
        while True:
            with frozen():
                heads = list(self._heads(last))
                found = list(self._page(heads))
            yield from found
            if len(heads) < PAGE:
                break
            last = heads[-1].pk
        with frozen():
            found = [*self._without_head(), *self._without_events()]
        yield from found

    def _heads(self, last: UUID) -> Iterator[EventHead]:
        heads = EventHead.objects.filter(pk__gt=last)
        if self._mission_id:
            heads = heads.filter(self._of_mission(self._mission_id))
        yield from heads.order_by("pk")[:PAGE]

    def _of_mission(self, mission_id: UUID) -> Q:
        """Aggregates with an event of the mission, and those whose rows say that they should have one."""
        live = AgentEvent.objects.filter(correlation_id=mission_id).values("aggregate_id")
        parts = EventArchive.objects.filter(mission_id=mission_id).values_list("aggregates", flat=True)
        found = Q(pk__in=live) | Q(pk__in={one for part in parts for one in part})
        for projection in self._projections.values():
            found |= Q(pk__in=projection.live(mission_id).values("aggregate_id"))
        return found

    def _page(self, heads: Sequence[EventHead]) -> Iterator[Fault]:
        sound: dict[str, dict[UUID, State]] = {name: {} for name in self._projections}
        for head in heads:
            replay = Replay(head)
            yield from replay.faults()
            self.aggregates += 1
            self.events += replay.chain.version
            if replay.is_sound and replay.state is not None and head.aggregate_type in sound:
                sound[head.aggregate_type][head.pk] = replay.state
        for name, states in sound.items():
            for one in differences(self._projections[name], states):
                yield Fault(Where.ROW, name, one.aggregate_id, one.words)

    def _without_head(self) -> Iterator[Fault]:
        head = EventHead.objects.filter(pk=OuterRef("aggregate_id"), aggregate_type=OuterRef("aggregate_type"))
        events = AgentEvent.objects.filter(~Exists(head))
        if self._mission_id:
            events = events.filter(correlation_id=self._mission_id)
        for name, aggregate_id in events.values_list("aggregate_type", "aggregate_id").distinct():
            yield Fault(Where.CHAIN, name, aggregate_id, "has events but no head")

    def _without_events(self) -> Iterator[Fault]:
        for name, projection in self._projections.items():
            head = EventHead.objects.filter(pk=OuterRef("aggregate_id"), aggregate_type=name)
            left = projection.live(self._mission_id).filter(~Exists(head)).order_by("aggregate_id", "pk")
            for aggregate_id, pk in left.values_list("aggregate_id", "pk").iterator():
                place = place_of(left.model, pk, aggregate_id)
                yield Fault(Where.CHAIN, name, aggregate_id, f"{place}the row has no events")


class Replay:
    """The whole history of one aggregate, replayed from its first event."""

    def __init__(self, head: EventHead) -> None:
        """Nothing is read before `faults` is."""
        self._head = head
        self.chain = Chain()
        self.state: State | None = None
        self.is_sound = True

    def faults(self) -> Iterator[Fault]:
        """The first broken link, or an event that nobody can read, and snapshots that are not what events add up to."""
        kept_states = EventSnapshot.objects.filter(
            aggregate_type=self._head.aggregate_type, aggregate_id=self._head.pk, snapshot_data__form=FORM
        ).values_list("version", "snapshot_data__state")
        snapshots = {version: _fingerprint(canonical(state)) for version, state in kept_states.iterator(chunk_size=10)}
        try:
            for row in rows.of_head(self._head):
                if words := self.chain.fault(row):
                    yield self._broken(words)
                    return
                self.state = apply(self.state, Stored.of(row))
                kept = snapshots.pop(row.version, None)
                if kept is not None and kept != _fingerprint(told(self.state)):
                    yield self._fault(Where.SNAPSHOT, "the snapshot is not what the events add up to", row.version)
        except UnknownEvent as error:
            yield self._broken(f"cannot be read: {error}", self.chain.version)
            return
        except rows.ArchiveUnreadable as error:
            yield self._broken(f"cannot be read: {error}")
            return
        if words := self.chain.fault_of_head(self._head.version, bytes(self._head.hash)):
            yield self._broken(words)
        for version in snapshots:
            yield self._fault(Where.SNAPSHOT, "has a snapshot but no event", version)

    def _broken(self, words: str, version: int | None = None) -> Fault:
        self.is_sound = False
        return self._fault(Where.CHAIN, words, version or self.chain.version + 1)

    def _fault(self, where: Where, words: str, version: int) -> Fault:
        return Fault(where, self._head.aggregate_type, self._head.pk, words, version)


def _fingerprint(state: bytes) -> bytes:
    return hashlib.sha256(state).digest()
