"""A mission's sources: staged for a draft, taken over by its mission, made searchable."""

from collections.abc import Callable
from uuid import UUID

from django.db.models import Count, QuerySet

from agents.models import AgentSession, User
from memory import embedders
from memory.models import MissionPassage, MissionSource

BATCH = 32


def staged(draft_id: UUID, *, user: User) -> QuerySet[MissionSource]:
    """The sources that a person has staged for a draft, by name, without their texts."""
    return MissionSource.objects.filter(draft_id=draft_id, user=user).defer("text").order_by("name", "source_id")


def adopt(draft_id: UUID, mission: AgentSession, *, user: User) -> int:
    """Give a draft's sources to its mission; how many there were."""
    return MissionSource.objects.filter(draft_id=draft_id, user=user).update(session=mission, draft_id=None)


def of_mission(mission_id: UUID) -> QuerySet[MissionSource]:
    """The sources of a mission, by name, without their texts, each with its number of passages."""
    return (
        MissionSource.objects.filter(session_id=mission_id)
        .defer("text")
        .annotate(passage_count=Count("passages"))
        .order_by("name", "source_id")
    )


def embed_pending(mission_id: UUID, progress: Callable[[int, int], None]) -> int:
    """Give every passage of a mission its vector; how many it made. `progress` is told (done, total) as it goes.

    May be called again, or by two at once: each batch is written in one statement, and equal values twice do no
    harm. Nothing is locked while the embedder works.
    """
    every = MissionPassage.objects.filter(source__session_id=mission_id)
    pending = every.filter(content_vector__isnull=True).order_by("source_id", "position")
    total, made = every.count(), 0
    while batch := list(pending.only("passage_id", "heading", "content")[:BATCH]):
        embedder = embedders.active()
        vectors = embedder.embed([_text(passage) for passage in batch])
        for passage, vector in zip(batch, vectors, strict=True):
            passage.content_vector, passage.embedder = vector, embedder.name
        MissionPassage.objects.bulk_update(batch, ["content_vector", "embedder"])
        made += len(batch)
        progress(total - pending.count(), total)
    return made


def _text(passage: MissionPassage) -> str:
    return f"{passage.heading}\n{passage.content}" if passage.heading else passage.content
