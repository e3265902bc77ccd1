"""Reads for the screens: found memories with their origin, a source around one of its passages."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from agents.models import AgentSession
from memory import search
from memory.models import AgentMemory, MemoryAccess, MissionPassage, MissionSource
from memory.search import MemoryFilter, MemoryHit

AROUND = 40  # passages shown before and after the one that is looked at


@dataclass(frozen=True, slots=True)
class Found:
    """A memory, the parts of its score where something was searched for, and how often it was found."""

    memory: AgentMemory
    hit: MemoryHit | None
    reads: int


def find(project_id: UUID, query: str, chosen: MemoryFilter, limit: int) -> list[Found]:
    """The memories that bear on `query`, best first; without one the newest. Three queries."""
    if not query.strip():
        return _with_reads([(memory, None) for memory in _newest(project_id, chosen)[:limit]])
    hits = search.memories(project_id, query, limit, chosen)
    by_id = _with_origin(AgentMemory.objects.filter(pk__in=[hit.memory_id for hit in hits])).in_bulk()
    return _with_reads([(by_id[hit.memory_id], hit) for hit in hits if hit.memory_id in by_id])


def _newest(project_id: UUID, chosen: MemoryFilter) -> QuerySet[AgentMemory]:
    alive = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    found = _with_origin(AgentMemory.objects.filter(alive, project_id=project_id))
    if chosen.memory_type:
        found = found.filter(memory_type=chosen.memory_type)
    if chosen.namespace:
        found = found.filter(**{f"namespace__0_{len(chosen.namespace)}": list(chosen.namespace)})
    if chosen.user_id:
        found = found.filter(user_id=chosen.user_id)
    if chosen.mission_id:
        found = found.filter(session__root_id=chosen.mission_id)
    if chosen.least_importance is not None:
        found = found.filter(importance_score__gte=chosen.least_importance)
    if chosen.since:
        found = found.filter(created_at__gte=chosen.since)
    return found.order_by("-created_at")


def _with_origin(found: QuerySet[AgentMemory]) -> QuerySet[AgentMemory]:
    return found.defer("content_vector").select_related("session", "session__root", "passage", "passage__source")


def _with_reads(found: Sequence[tuple[AgentMemory, MemoryHit | None]]) -> list[Found]:
    counts = dict(
        MemoryAccess.objects.filter(memory__in=[memory.pk for memory, _ in found]).values_list("memory_id", "count")
    )
    return [Found(memory, hit, memory.access_count + counts.get(memory.pk, 0)) for memory, hit in found]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a project remembers: how much of each type, and how much waits for its vector."""

    total: int
    by_type: dict[str, int]
    unembedded: int
    missions: list[tuple[AgentSession, int]]


def holdings(project_id: UUID) -> Holdings:
    """Counts over a project's memories. Four queries."""
    every = AgentMemory.objects.filter(project_id=project_id)
    by_type = dict(every.values("memory_type").annotate(n=Count("pk")).values_list("memory_type", "n"))
    by_mission = dict(
        every.filter(session__isnull=False)
        .values("session__root")
        .annotate(n=Count("pk"))
        .order_by("-n")
        .values_list("session__root", "n")[:20]
    )
    roots = AgentSession.objects.in_bulk(list(by_mission))
    return Holdings(
        sum(by_type.values()),
        by_type,
        every.filter(content_vector__isnull=True, key__isnull=True).count(),  # items may do without
        [(roots[pk], count) for pk, count in by_mission.items()],
    )


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A source with some of its passages; `before` and `after` say how many more there are on each side."""

    source: MissionSource
    passages: list[MissionPassage]
    before: int
    after: int

    @property
    def previous(self) -> int:
        """Where to look for what comes before."""
        return max(self.before - AROUND - 1, 0)

    @property
    def next(self) -> int:
        """Where to look for what comes after."""
        return self.before + len(self.passages) + AROUND


def excerpt(source: MissionSource, middle: int) -> Excerpt:
    """The passages around position `middle`. Two queries."""
    every = MissionPassage.objects.filter(source=source).defer("content_vector").order_by("position")
    total = every.count()
    first = max(middle - AROUND, 0)
    shown = list(every[first : middle + AROUND + 1])
    return Excerpt(source, shown, first, max(total - first - len(shown), 0))
