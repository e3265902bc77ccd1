"""Searches: the newest items that pass, or the nearest.

How near is compared with every item that passes where these are few: that is exact, and takes a few milliseconds. Where
they are many, the index proposes candidates, which are compared exactly. An index alone would first take the nearest of
all items and then drop those that do not pass: of a hundredth of 100,000 items it finds one in thirty. The planner says
beforehand where it expects far too many: its statistics cost half a millisecond, to meet thousands of items twenty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction

from memory.embedders import DIMENSION
from memory.search import ASK_INDEX, MOST_COMPARED
from memory.store.filters import Condition, conditions
from memory.store.names import end_of, plain
from memory.store.reading import COLUMNS, Row, Scope, every, union

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langgraph.store.base import SearchOp
    from psycopg import Cursor

    Hit = tuple[float | None, Row]

FAR_TOO_MANY = 2 * MOST_COMPARED  # by the planner's statistics, which may be wrong
DEEPEST = 100  # results, those of earlier pages included, that the index is asked for
CANDIDATES = 4  # for each result: half precision and several texts of one item may change their order

NEWEST = """(
SELECT %s::int AS place, 0::bigint AS passing, NULL::float8 AS score, {columns} FROM agent_memory m WHERE {where}
ORDER BY m.updated_at DESC, m.memory_id LIMIT %s OFFSET %s)"""

# An item is as near as its nearest text. The distance to a vector of zeros is NaN, which says nothing: it is unlike.
NEAREST = """(
WITH passing AS MATERIALIZED ({passing}), compared AS (
    SELECT memory_id, distance FROM passing
    UNION ALL
    SELECT memory_id, v.vector <=> %s::vector FROM passing JOIN agent_memory_vectors v USING (memory_id)
    WHERE passing.further_vectors > 0
), nearest AS (
    SELECT memory_id, min(coalesce(nullif(distance, 'NaN'), 1)) AS distance FROM compared
    GROUP BY memory_id ORDER BY distance, memory_id LIMIT %s OFFSET %s
)
SELECT %s::int, (SELECT count(*) FROM passing), 1 - nearest.distance, {columns}
FROM nearest JOIN agent_memory m USING (memory_id))"""

PASSING = """
SELECT m.memory_id, m.further_vectors, m.content_vector <=> %s::vector AS distance FROM agent_memory m
WHERE {where} LIMIT %s"""

EXPECTED = "EXPLAIN (FORMAT JSON) SELECT FROM agent_memory m WHERE {where}"

HALF = f"halfvec({DIMENSION})"
CANDIDATE = f"""
SELECT m.memory_id, m.further_vectors, m.content_vector <=> %s::vector AS distance FROM agent_memory m
WHERE m.memory_id IN (
    (SELECT m.memory_id FROM agent_memory m WHERE {{where}}
     ORDER BY m.content_vector::{HALF} <=> %s::{HALF} LIMIT %s)
    UNION ALL
    (SELECT m.memory_id FROM agent_memory_vectors v JOIN agent_memory m USING (memory_id) WHERE {{where}}
     ORDER BY v.vector::{HALF} <=> %s::{HALF} LIMIT %s))"""  # noqa: S608  # made of constants


@dataclass(frozen=True, slots=True)
class Search:
    """A search, and the vector of what it looks for, as PostgreSQL reads it; without one it asks for the newest."""

    op: SearchOp
    vector: str | None
    embedder: str

    @property
    def depth(self) -> int:
        """Results, those of earlier pages included."""
        return self.op.limit + self.op.offset

    def passing(self, scope: Scope) -> tuple[str, tuple[Any, ...]]:
        """What holds for what it may find."""
        own = [*scope.conditions(), *_within(self.op.namespace_prefix), *conditions(self.op.filter or {})]
        if self.vector is not None:
            own.append(Condition("m.content_vector IS NOT NULL AND m.embedder = %s", (self.embedder,)))
        return every(own)

    def newest(self, scope: Scope, place: int) -> Condition:
        """Asks for the newest."""
        where, given = self.passing(scope)
        sql = NEWEST.format(columns=COLUMNS, where=where)
        return Condition(sql, (place, *given, self.op.limit, self.op.offset))

    def exact(self, scope: Scope, place: int, most: int | None) -> Condition:
        """Compares with all that pass, or with `most` of them: then it only tells whether there are more."""
        where, given = self.passing(scope)
        return self._nearest(place, Condition(PASSING.format(where=where), (self.vector, *given, most)))

    def approximate(self, scope: Scope, place: int) -> Condition:
        """Compares with those that the index proposes."""
        where, given = self.passing(scope)
        proposed = (*given, self.vector, self.depth * CANDIDATES)
        return self._nearest(place, Condition(CANDIDATE.format(where=where), (self.vector, *proposed, *proposed)))

    def _nearest(self, place: int, passing: Condition) -> Condition:
        sql = NEAREST.format(columns=COLUMNS, passing=passing.sql)
        return Condition(sql, (*passing.parameters, self.vector, self.op.limit, self.op.offset, place))


def search(cursor: Cursor[Any], scope: Scope, searches: Sequence[Search]) -> list[list[Hit]]:
    """What each search finds, best first.

    One statement; where more pass than are compared, one more for these, and one for those that the index fails.
    """
    shallow = [place for place, one in enumerate(searches) if one.vector is not None and one.depth <= DEEPEST]
    wide = [place for place in shallow if _expected(cursor, scope, searches[place]) > FAR_TOO_MANY]
    arms = []
    for place, one in enumerate(searches):
        if one.vector is None:
            arms.append(one.newest(scope, place))
        elif place not in wide:
            arms.append(one.exact(scope, place, MOST_COMPARED + 1 if place in shallow else None))
    found, passing = _ask(cursor, arms, len(searches))
    wide += [place for place in shallow if passing[place] > MOST_COMPARED]
    if wide:
        _ask_index(cursor, scope, searches, wide, found)
    return found


def _expected(cursor: Cursor[Any], scope: Scope, search: Search) -> int:
    """How many items pass, by the planner's statistics."""
    where, given = search.passing(scope)
    row: Any = cursor.execute(EXPECTED.format(where=where), given, prepare=False).fetchone()
    return int(row[0][0]["Plan"]["Plan Rows"])


def _ask_index(
    cursor: Cursor[Any], scope: Scope, searches: Sequence[Search], wide: Sequence[int], found: list[list[Hit]]
) -> None:
    with transaction.atomic():
        cursor.execute(ASK_INDEX)
        near, _ = _ask(cursor, [searches[place].approximate(scope, place) for place in wide], len(searches))
    # Where what passes lies far from what is looked for, the index gives up before it has met enough.
    short = [place for place in wide if len(near[place]) < searches[place].op.limit]
    if short:
        rest, _ = _ask(cursor, [searches[place].exact(scope, place, None) for place in short], len(searches))
        for place in short:
            near[place] = rest[place]
    for place in wide:
        found[place] = near[place]


def _ask(cursor: Cursor[Any], arms: Iterable[Condition], count: int) -> tuple[list[list[Hit]], list[int]]:
    """Hits by place, best first, and how many passed. A union promises no order."""
    found: list[list[Hit]] = [[] for _ in range(count)]
    passing = [0] * count
    for place, passed, score, *columns in union(cursor, list(arms)) if arms else ():
        found[place].append((score, Row(*columns)))
        passing[place] = passed
    for hits in found:
        hits.sort(key=lambda hit: hit[1].updated_at.timestamp() if hit[0] is None else hit[0], reverse=True)
    return found, passing


def _within(prefix: Sequence[str]) -> list[Condition]:
    """Namespaces that begin with `prefix`: one range of the index."""
    if not prefix:
        return []
    labels = [plain(label) for label in prefix]
    between = '(m.namespace COLLATE "C") >= %s::text[] AND (m.namespace COLLATE "C") < %s::text[]'
    return [Condition(between, (labels, end_of(labels)))]
