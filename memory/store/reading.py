"""What the store asks PostgreSQL, and the rows that come back as LangGraph's items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langgraph.store.base import Item, SearchItem

from memory.store import values
from memory.store.filters import Condition
from memory.store.names import plain
from memory.store.operations import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from langgraph.store.base import ListNamespacesOp, MatchCondition
    from psycopg import Cursor

COLUMNS = """m.memory_id, m.namespace, m.key, coalesce(m.value_exact, m.value::text), m.created_at, m.updated_at,
    m.ttl_minutes IS NOT NULL"""
ALIVE = "(m.expires_at IS NULL OR m.expires_at > clock_timestamp())"

GET = f"SELECT {COLUMNS} FROM agent_memory m WHERE m.memory_id = ANY(%s) AND (%s OR {ALIVE})"  # noqa: S608  # constants

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


def namespaces(cursor: Cursor[Any], scope: Scope, listings: Sequence[ListNamespacesOp]) -> list[list[tuple[str, ...]]]:
    """The namespaces that each listing asks for, in order of their labels' code points. One statement."""
    found: list[list[tuple[str, ...]]] = [[] for _ in listings]
    for place, namespace in union(cursor, [_listing(scope, place, op) for place, op in enumerate(listings)]):
        found[place].append(tuple(namespace))
    for each in found:
        each.sort()
    return found


def _listing(scope: Scope, place: int, op: ListNamespacesOp) -> Condition:
    matching = [found for condition in op.match_conditions or () for found in _matching(condition)]
    where, given = every([*scope.conditions(), *matching])
    cut, depth = (
        ("m.namespace", ()) if op.max_depth is None else ("m.namespace[:%s::int]", (min(op.max_depth, MOST_ROWS),))
    )
    sql = NAMESPACES.format(namespace=cut, where=where)
    return Condition(sql, (place, *depth, *given, op.limit, op.offset))


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


def every(passing: Sequence[Condition]) -> tuple[str, tuple[Any, ...]]:
    """All conditions as one, and their parameters."""
    return " AND ".join(each.sql for each in passing), tuple(one for each in passing for one in each.parameters)


def union(cursor: Cursor[Any], arms: Sequence[Condition]) -> list[tuple[Any, ...]]:
    """All rows of several statements. Planned anew each time: how many rows pass a filter decides how to look."""
    sql = "\nUNION ALL\n".join(arm.sql for arm in arms)
    parameters = [one for arm in arms for one in arm.parameters]
    rows: list[tuple[Any, ...]] = cursor.execute(sql, parameters, prepare=False).fetchall()
    return rows


def prolong(cursor: Cursor[Any], ids: Collection[UUID]) -> None:
    """Begin the time of these items anew."""
    cursor.execute(PROLONG, [list(ids)], prepare=True)
