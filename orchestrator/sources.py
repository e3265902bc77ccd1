"""A mission's sources, as a graph sees them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import Func, IntegerField

from agents.checkpoints.connections import scoped
from agents.graphs.findings import PassageText, SourceOutline
from agents.graphs.ports import Progress
from memory import search
from memory.models import MissionPassage, MissionSource
from memory.services import sources

MOST_HEADINGS = 40


class OctetLength(Func):
    """The bytes of a text."""

    function = "octet_length"
    output_field = IntegerField()


class MissionSources:
    """Reads the sources of one mission."""

    def __init__(self, mission_id: UUID) -> None:
        """For the mission's whole tree of agents."""
        self._mission_id = mission_id

    def prepare(self, progress: Progress) -> None:
        """Make every passage searchable."""
        with scoped():
            sources.embed_pending(self._mission_id, progress)

    def outlines(self) -> Sequence[SourceOutline]:
        """All sources, by name."""
        with scoped():
            return [
                SourceOutline(
                    source_id=str(source.pk),
                    name=source.name,
                    words=source.words,
                    headings=tuple(
                        dict.fromkeys(
                            source.passages.exclude(heading="")
                            .order_by("position")
                            .values_list("heading", flat=True)[:MOST_HEADINGS]
                        )
                    ),
                )
                for source in MissionSource.objects.of_mission(self._mission_id)
            ]

    def sample(self, limit: int) -> Sequence[PassageText]:
        """Up to `limit` passages, spread evenly over all sources."""
        with scoped():
            ids = list(
                MissionPassage.objects.filter(source__session_id=self._mission_id)
                .order_by("source__name", "source_id", "position")
                .values_list("pk", flat=True)
            )
            step = max(len(ids) / limit, 1)
            return self._texts([ids[int(place * step)] for place in range(min(limit, len(ids)))])

    def passages(self, passage_ids: Sequence[str]) -> Sequence[PassageText]:
        """These passages, in this order; unknown ids are left out."""
        with scoped():
            return self._texts([UUID(passage_id) for passage_id in passage_ids])

    def lengths(self, passage_ids: Sequence[str]) -> Mapping[str, int]:
        """About how many tokens these passages have, a token for three bytes."""
        with scoped():
            found = MissionPassage.objects.filter(pk__in=passage_ids, source__session_id=self._mission_id)
            sizes = found.annotate(size=OctetLength("content")).values_list("pk", "size")
            return {str(passage_id): -(-size // 3) for passage_id, size in sizes}

    def search(self, query: str, limit: int) -> Sequence[PassageText]:
        """The passages nearest to `query`, best first."""
        with scoped():
            hits = search.passages(self._mission_id, query, limit)
            texts = {UUID(text.passage_id): text for text in self._texts([hit.passage_id for hit in hits])}
            return [texts[hit.passage_id].model_copy(update={"score": hit.score}) for hit in hits]

    def _texts(self, ids: Sequence[UUID]) -> list[PassageText]:
        found = MissionPassage.objects.filter(pk__in=ids, source__session_id=self._mission_id).select_related("source")
        known = {
            passage.pk: PassageText(
                passage_id=str(passage.pk),
                source_id=str(passage.source_id),
                source=passage.source.name,
                heading=passage.heading,
                page=passage.page,
                text=passage.content,
            )
            for passage in found.defer("content_vector", "search", "source__text")
        }
        return [known[passage_id] for passage_id in ids if passage_id in known]
