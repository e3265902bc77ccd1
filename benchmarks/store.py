"""Semantic search in the store at 100,000 items, against LangGraph's PostgresStore on the same PostgreSQL.

The vectors are made: 1,000 clusters in 384 dimensions, and queries from the same clusters. Which share of the items a
search is about has nothing to do with where their vectors lie. Recall is of the ten nearest that pass, by numpy.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
from django.db import connection
from langgraph.store.base import BaseStore, PutOp, SearchItem
from langgraph.store.postgres import PostgresStore
from numpy.typing import NDArray
from psycopg.rows import dict_row

from agents.models import Project
from benchmarks import tables
from memory.embedders import DIMENSION
from memory.store import QueenrightStore

ITEMS = 100_000
CLUSTERS = 1_000
QUERIES = 100
NEAREST = 10
BATCH = 1_000
SEED = 20_260
OUR_INDEX = "memory_item_nearest"
THEIR_INDEX = "store_vectors_embedding_idx"

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class World:
    """Items and queries, a row of unit length each. Item n is of hundred-group n % 100, ten-group n % 10."""

    items: Matrix
    queries: Matrix

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts such as `item 7` and `query 7`."""
        found = []
        for text in texts:
            kind, number = text.split()
            found.append((self.items if kind == "item" else self.queries)[int(number)].tolist())
        return found

    def nearest(self, query: int, step: int) -> set[int]:
        """The nearest of those items n with n % step == query % step."""
        passing = np.arange(query % step, len(self.items), step)
        likeness = self.items[passing] @ self.queries[query]
        return set(passing[np.argsort(-likeness)[:NEAREST]].tolist())


@dataclass(frozen=True)
class Search:
    """A way to search, and of every how many items one passes."""

    name: str
    step: int
    prefix: tuple[str, ...] = ("bench",)
    key: str = ""

    def ask(self, store: BaseStore, query: int) -> list[SearchItem]:
        """Search."""
        group = query % self.step
        prefix = tuple(label.format(group) for label in self.prefix)
        chosen = {self.key: group} if self.key else None
        return store.search(prefix, query=f"query {query}", filter=chosen, limit=NEAREST)


SEARCHES = (
    Search("1% by filter", 100, key="hundredth"),
    Search("1% by namespace", 100, prefix=("bench", "group {}")),
    Search("10% by filter", 10, key="tenth"),
    Search("all", 1),
)


@dataclass
class Measured:
    """Milliseconds and recalls of one store in one way to search."""

    milliseconds: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return statistics.quantiles(self.milliseconds, n=20)[-1]


def run(project: Project) -> dict[str, tuple[Measured, Measured]]:
    """For each way to search what ours and theirs took and found."""
    world = _world()
    index: Any = {"dims": DIMENSION, "embed": world.embed, "fields": ["text"]}
    connection.ensure_connection()
    dsn = connection.connection.info.dsn
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=0, row_factory=dict_row) as link:
        ours, theirs = QueenrightStore(project.pk, index=index), PostgresStore(link, index=index)
        theirs.setup()
        for store, name in ((ours, OUR_INDEX), (theirs, THEIR_INDEX)):
            with _indexed_at_the_end(link, name):
                _fill(store)
        link.execute("VACUUM ANALYZE agent_memory, store, store_vectors")
        return {search.name: _measure(search, world, ours, theirs) for search in SEARCHES}


def _world() -> World:
    random = np.random.default_rng(SEED)
    centres = random.normal(size=(CLUSTERS, DIMENSION))

    def near(count: int) -> Matrix:
        made = centres[random.integers(CLUSTERS, size=count)] + 0.7 * random.normal(size=(count, DIMENSION))
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    return World(near(ITEMS), near(QUERIES))


def _fill(store: BaseStore) -> None:
    for first in range(0, ITEMS, BATCH):
        numbers = range(first, first + BATCH)
        store.batch([PutOp(("bench", f"group {n % 100}"), f"item {n}", _value(n)) for n in numbers])


def _value(number: int) -> dict[str, Any]:
    return {"text": f"item {number}", "hundredth": number % 100, "tenth": number % 10}


@contextmanager
def _indexed_at_the_end(link: psycopg.Connection[Any], name: str) -> Iterator[None]:
    """An index of vectors is made as it was, but after the rows: row by row takes many times as long."""
    made = link.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [name]).fetchone()
    link.execute(f"DROP INDEX {name}")
    yield
    link.execute("SET maintenance_work_mem = '1GB'")
    link.execute(made["indexdef"])


def _measure(search: Search, world: World, ours: BaseStore, theirs: BaseStore) -> tuple[Measured, Measured]:
    results = Measured(), Measured()
    for query in range(5):
        search.ask(ours, query), search.ask(theirs, query)
    for query in range(QUERIES):
        right = world.nearest(query, search.step)
        for store, measured in zip((ours, theirs), results, strict=True):
            began = time.perf_counter()
            found = search.ask(store, query)
            measured.milliseconds.append((time.perf_counter() - began) * 1000)
            measured.recalls.append(len(right & {int(item.key.split()[1]) for item in found}) / NEAREST)
    return results


def table(results: dict[str, tuple[Measured, Measured]]) -> str:
    """Recall and times of both, and the ratio of the slowest twentieth."""
    rows = [
        (
            name,
            f"{statistics.mean(ours.recalls):.2f}",
            f"{statistics.mean(theirs.recalls):.2f}",
            f"{statistics.median(ours.milliseconds):.1f} ms",
            f"{statistics.median(theirs.milliseconds):.1f} ms",
            f"{ours.p95:.1f} ms",
            f"{theirs.p95:.1f} ms",
            f"{ours.p95 / theirs.p95:.2f}",
        )
        for name, (ours, theirs) in results.items()
    ]
    head = ("searched", "recall@10", "PostgresStore's", "median", "PostgresStore's", "p95", "PostgresStore's", "ratio")
    return tables.table(f"Semantic search in a store of {ITEMS:,} items, {QUERIES} queries interleaved", head, rows)
