"""How events show in memories."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from agents.events.folds import MemoryState
from agents.events.projections import Difference, Expected
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

    def live(self, mission_id: UUID | None) -> QuerySet[Any]:
        """Memories."""
        within = Q(session__root_id=mission_id) if mission_id else Q()
        return AgentMemory.objects.filter(within).annotate(aggregate_id=F("pk"))

    def mend(self, aggregate_id: UUID, state: MemoryState) -> None:
        """Nothing hangs on it."""
