"""Finding passages and memories by meaning and words. Every score can be explained by its parts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from pgvector import Vector

from agents.storable import storable_text
from memory import embedders

# What is looked for: its vector, and its words without their endings and without those that any text has.
# A row's share of these words counts, not that it has all of them: questions have more words than their answers.
GIVEN = """
WITH given AS MATERIALIZED (
    SELECT %(vector)s::vector AS vector, tsvector_to_array(to_tsvector('english', %(query)s)) AS words
)"""
SHARE = """
coalesce(
    (SELECT count(*) FROM (SELECT unnest(given.words) INTERSECT SELECT unnest(tsvector_to_array({column}))) AS shared)
    / nullif(cardinality(given.words), 0)::float8, 0)"""

# Of a passage's score, meaning has most; words help where names and numbers matter.
PASSAGES = f"""{GIVEN}, found AS MATERIALIZED (
    SELECT p.passage_id,
           0.85 * greatest(1 - (p.content_vector <=> given.vector), 0) AS meaning,
           0.15 * {SHARE.format(column="p.search")} AS words
    FROM mission_passages p JOIN mission_sources s USING (source_id), given
    WHERE s.session_id = %(mission)s AND p.content_vector IS NOT NULL
)
SELECT passage_id, meaning, words FROM found
ORDER BY meaning + words DESC, passage_id LIMIT %(limit)s"""  # noqa: S608 - made of constants

# Four parts that add up to the score: meaning .6, words .15, recency .1 (halved in 30 days), importance .15.
MEMORIES = f"""{GIVEN}, found AS MATERIALIZED (
    SELECT m.memory_id,
           CASE WHEN m.embedder = %(embedder)s THEN 0.60 * greatest(1 - (m.content_vector <=> given.vector), 0)
                ELSE 0 END AS meaning,
           0.15 * {SHARE.format(column="m.search")} AS words,
           0.10 * power(0.5, extract(epoch FROM now() - m.created_at)::float8 / 86400 / 30) AS recency,
           0.15 * m.importance_score AS importance
    FROM agent_memory m LEFT JOIN agent_sessions s USING (session_id), given
    WHERE m.project_id = %(project)s AND (m.content_vector IS NOT NULL OR m.key IS NOT NULL)
      AND (m.expires_at IS NULL OR m.expires_at > now())
      AND (%(memory_type)s::text IS NULL OR m.memory_type = %(memory_type)s)
      AND (%(namespace)s::text[] IS NULL OR m.namespace[:cardinality(%(namespace)s::text[])] = %(namespace)s)
      AND (%(user)s::uuid IS NULL OR m.user_id = %(user)s)
      AND (%(mission)s::uuid IS NULL OR s.root_id = %(mission)s)
      AND (%(least_importance)s::float8 IS NULL OR m.importance_score >= %(least_importance)s)
      AND (%(since)s::timestamptz IS NULL OR m.created_at >= %(since)s)
)
SELECT memory_id, meaning, words, recency, importance FROM found
WHERE meaning >= 0.6 * %(least_meaning)s OR words >= 0.15 * %(least_words)s
ORDER BY meaning + words + recency + importance DESC, memory_id LIMIT %(limit)s"""  # noqa: S608 - made of constants

MOST_COMPARED = 4_000  # rows of a project that are compared exactly; with more an index is asked
# For this transaction: go on through the index until enough pass.
ASK_INDEX = "SELECT set_config('hnsw.ef_search', '100', true), set_config('hnsw.iterative_scan', 'relaxed_order', true)"

LEAST_MEANING = 0.2  # cosine; below it the embedder's neighbours share a language, not a subject
LEAST_WORDS = 0.5  # share of the words from which a memory is found by them alone


@dataclass(frozen=True, slots=True)
class PassageHit:
    """A passage and the parts of its score."""

    passage_id: UUID
    meaning: float
    words: float

    @property
    def score(self) -> float:
        """What the hits are ordered by, 0 to 1."""
        return min(self.meaning + self.words, 1.0)


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
        return min(self.meaning + self.words + self.recency + self.importance, 1.0)


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """What to look through; None leaves nothing out. A namespace holds those that begin with it."""

    memory_type: str | None = None
    namespace: tuple[str, ...] | None = None
    user_id: UUID | None = None
    mission_id: UUID | None = None
    least_importance: float | None = None
    since: datetime | None = None


def passages(mission_id: UUID, query: str, limit: int) -> list[PassageHit]:
    """The mission's passages nearest to `query` in meaning and words, best first."""
    rows = _rows(PASSAGES, query, {"mission": mission_id, "limit": limit})
    return [PassageHit(*row) for row in rows]


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
            "namespace": list(chosen.namespace) if chosen.namespace else None,
            "user": chosen.user_id,
            "mission": chosen.mission_id,
            "least_importance": chosen.least_importance,
            "since": chosen.since,
            "least_meaning": LEAST_MEANING,
            "least_words": LEAST_WORDS,
        },
    )
    return [MemoryHit(*row) for row in rows]


def _rows(sql: str, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    text = storable_text(query)
    embedder = embedders.active()
    (vector,) = embedder.embed([text])
    given = {"query": text, "vector": Vector(vector).to_text(), "embedder": embedder.name}
    with connection.cursor() as cursor:
        cursor.execute(sql, {**parameters, **given})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def stems(query: str) -> list[str]:
    """The words that search looks for: without their endings, and without those that any text has."""
    if not query.strip():
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tsvector_to_array(to_tsvector('english', %s))", [storable_text(query)])
        (found,) = cursor.fetchone()
    return list(found)
