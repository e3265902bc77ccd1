"""Finding passages and memories by meaning and words. Every score can be explained by its parts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from pgvector import Vector

from memory import embedders

# Of a passage's score, meaning has most; words help where names and numbers matter.
PASSAGES = """
WITH given AS (
    SELECT %(vector)s::vector AS vector, websearch_to_tsquery('english', %(query)s) AS words
), found AS MATERIALIZED (
    SELECT p.passage_id, p.content_vector <=> given.vector AS distance,
           ts_rank_cd(p.search, given.words, 32) AS rank
    FROM mission_passages p JOIN mission_sources s USING (source_id), given
    WHERE s.session_id = %(mission)s AND p.content_vector IS NOT NULL
)
SELECT passage_id, 0.85 * greatest(1 - distance, 0) + 0.15 * rank AS score
FROM found ORDER BY score DESC, passage_id LIMIT %(limit)s"""

# Four parts that add up to the score: meaning .6, words .15, recency .1 (halved in 30 days), importance .15.
MEMORIES = """
WITH given AS (
    SELECT %(vector)s::vector AS vector, websearch_to_tsquery('english', %(query)s) AS words
), found AS MATERIALIZED (
    SELECT m.memory_id,
           0.60 * greatest(1 - (m.content_vector <=> given.vector), 0) AS meaning,
           0.15 * ts_rank_cd(m.search, given.words, 32) AS words,
           0.10 * power(0.5, extract(epoch FROM now() - m.created_at)::float8 / 86400 / 30) AS recency,
           0.15 * m.importance_score AS importance
    FROM agent_memory m LEFT JOIN agent_sessions s USING (session_id), given
    WHERE m.project_id = %(project)s AND m.content_vector IS NOT NULL
      AND (m.expires_at IS NULL OR m.expires_at > now())
      AND (%(memory_type)s::text IS NULL OR m.memory_type = %(memory_type)s)
      AND (%(mission)s::uuid IS NULL OR s.root_id = %(mission)s)
      AND (%(least_importance)s::float8 IS NULL OR m.importance_score >= %(least_importance)s)
      AND (%(since)s::timestamptz IS NULL OR m.created_at >= %(since)s)
)
SELECT memory_id, meaning, words, recency, importance FROM found
WHERE meaning >= 0.6 * %(least_meaning)s OR words > 0
ORDER BY meaning + words + recency + importance DESC, memory_id LIMIT %(limit)s"""

LEAST_MEANING = 0.2  # cosine; below it the embedder's neighbours share a language, not a subject


@dataclass(frozen=True, slots=True)
class PassageHit:
    """A passage and how well it fits, 0 to 1."""

    passage_id: UUID
    score: float


@dataclass(frozen=True, slots=True)
class MemoryHit:
    """A memory and the parts of its score."""

    memory_id: UUID
    meaning: float
    words: float
    recency: float
    importance: float

    @property
    def score(self) -> float:
        """What the hits are ordered by, 0 to 1."""
        return self.meaning + self.words + self.recency + self.importance


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """What to look through; None leaves nothing out."""

    memory_type: str | None = None
    mission_id: UUID | None = None
    least_importance: float | None = None
    since: datetime | None = None


def passages(mission_id: UUID, query: str, limit: int) -> list[PassageHit]:
    """The mission's passages nearest to `query` in meaning and words, best first."""
    rows = _rows(PASSAGES, query, {"mission": mission_id, "limit": limit})
    return [PassageHit(passage_id, min(score, 1.0)) for passage_id, score in rows]


def memories(project_id: UUID, query: str, limit: int, chosen: MemoryFilter | None = None) -> list[MemoryHit]:
    """The project's memories that bear on `query`, best first."""
    chosen = chosen or MemoryFilter()
    rows = _rows(
        MEMORIES,
        query,
        {
            "project": project_id,
            "limit": limit,
            "memory_type": chosen.memory_type,
            "mission": chosen.mission_id,
            "least_importance": chosen.least_importance,
            "since": chosen.since,
            "least_meaning": LEAST_MEANING,
        },
    )
    return [MemoryHit(*row) for row in rows]


def _rows(sql: str, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    text = query.replace("\0", " ")
    (vector,) = embedders.active().embed([text])
    with connection.cursor() as cursor:
        cursor.execute(sql, {**parameters, "query": text, "vector": Vector(vector).to_text()})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
