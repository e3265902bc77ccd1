"""A batch of LangGraph's operations, checked and sorted by kind before anything is asked of anyone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langgraph.store.base import GetOp, ListNamespacesOp, Op, PutOp, SearchOp

from memory.store.names import check_key, check_namespace, item_id

if TYPE_CHECKING:
    from uuid import UUID

MOST_ROWS = 2**31 - 1
MOST_MINUTES = 100 * 365 * 24 * 60  # of an item's time


@dataclass(slots=True)
class Batch:
    """Operations by kind; reads with their place among the results. Of several puts of a key the last counts."""

    count: int = 0
    gets: list[tuple[int, GetOp, UUID]] = field(default_factory=list)
    searches: list[tuple[int, SearchOp]] = field(default_factory=list)
    listings: list[tuple[int, ListNamespacesOp]] = field(default_factory=list)
    puts: dict[UUID, PutOp] = field(default_factory=dict)

    @property
    def reads(self) -> bool:
        """Whether anything is read."""
        return bool(self.gets or self.searches or self.listings)

    @classmethod
    def of(cls, project_id: UUID, ops: Iterable[Op]) -> Batch:
        """Sort operations on a project's items. Raises ValueError, InvalidNamespaceError among them, or TypeError."""
        batch = cls()
        for place, op in enumerate(ops):
            batch.count += 1
            if isinstance(op, GetOp):
                check_namespace(op.namespace)
                check_key(op.key)
                batch.gets.append((place, op, item_id(project_id, op.namespace, op.key)))
            elif isinstance(op, SearchOp):
                check_namespace(op.namespace_prefix)
                _check_page(op)
                batch.searches.append((place, op))
            elif isinstance(op, ListNamespacesOp):
                _check_listing(op)
                batch.listings.append((place, op))
            elif isinstance(op, PutOp):
                _check_put(op)
                batch.puts[item_id(project_id, op.namespace, op.key)] = op
            else:
                raise TypeError(f"Unknown operation type: {type(op)}")
        return batch


def _check_page(op: SearchOp | ListNamespacesOp) -> None:
    if not 0 <= op.limit <= MOST_ROWS or not 0 <= op.offset <= MOST_ROWS:
        raise ValueError(f"limit and offset are 0 to {MOST_ROWS}, not {op.limit} and {op.offset}")


def _check_listing(op: ListNamespacesOp) -> None:
    _check_page(op)
    for condition in op.match_conditions or ():
        check_namespace(condition.path)
    if op.max_depth is not None and op.max_depth < 0:
        raise ValueError("max_depth is not negative")


def _check_put(op: PutOp) -> None:
    check_key(op.key)
    check_namespace(op.namespace, writing=op.value is not None)
    if op.value is not None and not isinstance(op.value, Mapping):
        raise TypeError(f"an item's value is a mapping, not {type(op.value).__name__}")
    if op.ttl is not None and not (math.isfinite(op.ttl) and 0 <= op.ttl <= MOST_MINUTES):
        raise ValueError(f"an item's time is 0 to {MOST_MINUTES} minutes, not {op.ttl}")
