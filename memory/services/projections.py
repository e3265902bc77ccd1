"""How events show in memories."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from agents.events.folds import MemoryState
from agents.events.projections import Difference, Expected
from agents.models import EventHead
from memory.models import AgentMemory


class Memories:
    """Memories of agents and items of stores: there or forgotten, and which text they hold, by its digest."""

    aggregate_type = "memory"

    def rows(self, aggregate_id: UUID, state: MemoryState) -> Iterator[Expected]:
        """The row of a memory. Its session may have been deleted since, so that is not looked at."""
        columns = {"content_hash": state.digest, "memory_type": state.memory_type}
        yield Expected(aggregate_id, AgentMemory, aggregate_id, columns, is_there=state.is_there)

    def untold(self, states: Mapping[UUID, MemoryState]) -> Iterator[Difference]:
        """A memory is one row."""
        yield from ()

    def unrecorded(self, mission_id: UUID | None) -> QuerySet[Any]:
        """Memories without events."""
        within = Q(session__root_id=mission_id) if mission_id else Q()
        head = EventHead.objects.filter(pk=OuterRef("pk"))
        return AgentMemory.objects.filter(within, ~Exists(head)).values_list("pk", flat=True)

    def mend(self, aggregate_id: UUID, state: MemoryState) -> None:
        """Nothing hangs on it."""
