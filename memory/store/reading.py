"""What the store asks PostgreSQL, and the rows that come back as LangGraph's items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langgraph.store.base import Item, SearchItem

from memory.store import values
from memory.store.filters import Condition, conditions
from memory.store.names import end_of, plain
from memory.store.operations import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from langgraph.store.base import ListNamespacesOp, MatchCondition, SearchOp
    from psycopg import Cursor

COLUMNS = """m.memory_id, m.namespace, m.key, coalesce(m.value_exact, m.value::text), m.created_at, m.updated_at,
    m.ttl_minutes IS NOT NULL"""
ALIVE = "(m.expires_at IS NULL OR m.expires_at > clock_timestamp())"

GET = f"SELECT {COLUMNS} FROM agent_memory m WHERE m.memory_id = ANY(%s) AND (%s OR {ALIVE})"  # noqa: S608  # constants

NEWEST = """(
SELECT %s::int, NULL::float8, {columns} FROM agent_memory m WHERE {where}
ORDER BY m.updated_at DESC, m.memory_id LIMIT %s OFFSET %s)"""

# Every item that passes is compared, so what is found is what is nearest. An item is as near as its nearest text.
# The distance to a vector of zeros is NaN, which says nothing: it counts as unlike.
NEAREST = """(
WITH passing AS MATERIALIZED (
    SELECT m.memory_id, m.content_vector FROM agent_memory m WHERE {where} AND m.embedder = %s
), compared AS (
    SELECT memory_id, content_vector <=> %s::vector AS distance FROM passing
    UNION ALL
    SELECT memory_id, v.vector <=> %s::vector FROM passing JOIN agent_memory_vectors v USING (memory_id)
), nearest AS (
    SELECT memory_id, min(coalesce(nullif(distance, 'NaN'), 1)) AS distance FROM compared
    GROUP BY memory_id ORDER BY distance, memory_id LIMIT %s OFFSET %s
)
SELECT %s::int, 1 - nearest.distance, {columns} FROM nearest JOIN agent_memory m USING (memory_id))"""

NAMESPACES = """(
SELECT %s::int, depth.namespace FROM (
    SELECT DISTINCT {namespace} COLLATE "C" AS namespace FROM agent_memory m WHERE {where}
) AS depth ORDER BY depth.namespace LIMIT %s OFFSET %s)"""

# A read prolongs an item's time. Not more often than every hundredth of it: each time rewrites the row, and its
# vector's index. Whoever holds the row is putting it or prolonging it, so nobody waits.
PROLONG = """
UPDATE agent_memory SET expires_at = clock_timestamp() + ttl_minutes * interval '1 minute'
WHERE memory_id IN (
    SELECT m.memory_id FROM agent_memory m
    WHERE m.memory_id = ANY(%s) AND m.expires_at < clock_timestamp() + ttl_minutes * interval '0.99 minute'
    ORDER BY m.memory_id FOR NO KEY UPDATE SKIP LOCKED)"""


@dataclass(frozen=True, slots=True)
class Row:
    """An item as it is read; `has_ttl` if reading may prolong its time."""

    memory_id: UUID
    namespace: Sequence[str]
    key: str
    text: str
    created_at: datetime
    updated_at: datetime
    has_ttl: bool

    def item(self) -> Item:
        """As LangGraph has it; the value is the caller's own."""
        return Item(
            value=values.decode(self.text),
            key=self.key,
            namespace=tuple(self.namespace),
            created_at=self.created_at,
            updated_at=self.updated_at,
        )

    def search_item(self, score: float | None) -> SearchItem:
        """As a search finds it."""
        item = self.item()
        return SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, score)


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the table a store sees."""

    project_id: UUID
    shows_expired: bool

    def conditions(self) -> list[Condition]:
        """What holds for any item of the store."""
        own = Condition("m.project_id = %s AND m.key IS NOT NULL", (self.project_id,))
        return [own] if self.shows_expired else [own, Condition(ALIVE)]


def get(cursor: Cursor[Any], scope: Scope, ids: Collection[UUID]) -> dict[UUID, Row]:
    """The items that are there, by id."""
    rows = cursor.execute(GET, [list(ids), scope.shows_expired], prepare=True).fetchall()
    return {row[0]: Row(*row) for row in rows}


def search(
    cursor: Cursor[Any], scope: Scope, searches: Sequence[tuple[SearchOp, str | None]], embedder: str
) -> list[list[tuple[float | None, Row]]]:
    """What each search finds, best first, with scores where it has a vector; else newest first. One statement."""
    arms = [_search(scope, place, op, vector, embedder) for place, (op, vector) in enumerate(searches)]
    found: list[list[tuple[float | None, Row]]] = [[] for _ in searches]
    for place, score, *columns in _union(cursor, arms):
        found[place].append((score, Row(*columns)))
    for hits in found:  # a union promises no order
        hits.sort(key=lambda hit: (-(hit[0] or 0.0), -hit[1].updated_at.timestamp() if hit[0] is None else 0.0))
    return found


def _search(scope: Scope, place: int, op: SearchOp, vector: str | None, embedder: str) -> Condition:
    passing = [*scope.conditions(), *_within(op.namespace_prefix), *conditions(op.filter or {})]
    where, given = _all(passing)
    if vector is None:
        sql = NEWEST.format(columns=COLUMNS, where=where)
        return Condition(sql, (place, *given, op.limit, op.offset))
    sql = NEAREST.format(columns=COLUMNS, where=where)
    return Condition(sql, (*given, embedder, vector, vector, op.limit, op.offset, place))


def namespaces(cursor: Cursor[Any], scope: Scope, listings: Sequence[ListNamespacesOp]) -> list[list[tuple[str, ...]]]:
    """The namespaces that each listing asks for, in order of their labels' code points. One statement."""
    found: list[list[tuple[str, ...]]] = [[] for _ in listings]
    for place, namespace in _union(cursor, [_listing(scope, place, op) for place, op in enumerate(listings)]):
        found[place].append(tuple(namespace))
    for each in found:
        each.sort()
    return found


def _listing(scope: Scope, place: int, op: ListNamespacesOp) -> Condition:
    matching = [found for condition in op.match_conditions or () for found in _matching(condition)]
    where, given = _all([*scope.conditions(), *matching])
    cut, depth = (
        ("m.namespace", ()) if op.max_depth is None else ("m.namespace[:%s::int]", (min(op.max_depth, MOST_ROWS),))
    )
    sql = NAMESPACES.format(namespace=cut, where=where)
    return Condition(sql, (place, *depth, *given, op.limit, op.offset))


def _within(prefix: Sequence[str]) -> list[Condition]:
    """Namespaces that begin with `prefix`: one range of the index."""
    if not prefix:
        return []
    labels = [plain(label) for label in prefix]
    between = '(m.namespace COLLATE "C") >= %s::text[] AND (m.namespace COLLATE "C") < %s::text[]'
    return [Condition(between, (labels, end_of(labels)))]


def _matching(condition: MatchCondition) -> list[Condition]:
    """A star stands for any one label."""
    path = condition.path
    if condition.match_type not in ("prefix", "suffix"):
        raise ValueError(f"Unsupported match type: {condition.match_type}")
    first = "%s" if condition.match_type == "prefix" else f"cardinality(m.namespace) - {len(path)} + %s"
    labels = [
        Condition(f"m.namespace[{first}::int] = %s::text", (place, plain(label)))
        for place, label in enumerate(path, start=1)
        if label != "*"
    ]
    return [Condition("cardinality(m.namespace) >= %s", (len(path),)), *labels]


def _all(passing: Sequence[Condition]) -> tuple[str, tuple[Any, ...]]:
    return " AND ".join(each.sql for each in passing), tuple(one for each in passing for one in each.parameters)


def _union(cursor: Cursor[Any], arms: Sequence[Condition]) -> list[tuple[Any, ...]]:
    """All rows of several statements. Planned anew each time: how many rows pass a filter decides how to look."""
    sql = "\nUNION ALL\n".join(arm.sql for arm in arms)
    parameters = [one for arm in arms for one in arm.parameters]
    rows: list[tuple[Any, ...]] = cursor.execute(sql, parameters, prepare=False).fetchall()
    return rows


def prolong(cursor: Cursor[Any], ids: Collection[UUID]) -> None:
    """Begin the time of these items anew."""
    cursor.execute(PROLONG, [list(ids)], prepare=True)
