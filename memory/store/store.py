"""LangGraph's store on the table of memories."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Literal

from agents.checkpoints.connections import raw_cursor, scoped
from agents.events.digests import text_digest
from agents.storable import storable_text
from memory.services import items, memories
from memory.store import reading, searching, values
from memory.store.calls import CallsBatch
from memory.store.indexing import Indexing, vector_text
from memory.store.names import plain
from memory.store.operations import Batch
from memory.store.searching import Search

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from langgraph.store.base import IndexConfig, Op, PutOp, Result, TTLConfig
    from psycopg import Cursor

    Vectors = dict[str, str]  # of texts, as PostgreSQL reads them

MOST_TEXT = 50_000  # characters of an item that the Memory page shows and finds by words
SWEPT = 500  # memories that are deleted in one transaction


class QueenrightStore(CallsBatch):
    """The items of one project, as memories that people see on the Memory page.

    In a batch the reads come first, then all puts in one transaction; of several puts of a key the last counts.
    Works on Django's connection of the calling thread, also inside a caller's transaction. The asynchronous methods
    run in other threads, so they never see a transaction of the caller's. Threads may share a store.
    """

    supports_ttl = True

    __slots__ = ("_indexing", "_scope", "_swept_at", "ttl_config")

    def __init__(
        self,
        project_id: UUID,
        *,
        index: IndexConfig | Literal[False] | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        """Make the store of a project.

        `index`: LangGraph's; without it whole values are embedded, by this installation's embedder; False: nothing is.
        `ttl`: LangGraph's, but expired items are left out unless `omit_expired` is False. With a
        `sweep_interval_minutes` a put also deletes what has expired, as often as that. Raises ValueError.
        """
        self._indexing = None if index is False else Indexing(index)
        self.ttl_config = ttl
        self._scope = reading.Scope(project_id, shows_expired=(ttl or {}).get("omit_expired") is False)
        self._swept_at = time.monotonic()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations; a result for each, None for puts.

        Raises ValueError (InvalidNamespaceError among them) or TypeError before anything is done.
        """
        batch = Batch.of(self._scope.project_id, ops)
        texts, queries = self._wanted(batch)
        vectors: Vectors = {}
        asked: Vectors = {}
        if self._indexing:
            embeddings = self._indexing.embeddings
            vectors = _by_text(texts, embeddings.embed_documents(texts) if texts else [])
            asked = _by_text(queries, [embeddings.embed_query(query) for query in queries])
        return self._run(batch, vectors, asked)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As `batch`."""
        batch = Batch.of(self._scope.project_id, ops)
        texts, queries = self._wanted(batch)
        vectors: Vectors = {}
        asked: Vectors = {}
        if self._indexing:
            embeddings = self._indexing.embeddings
            vectors = _by_text(texts, await embeddings.aembed_documents(texts) if texts else [])
            asked = _by_text(queries, [await embeddings.aembed_query(query) for query in queries])
        return await asyncio.to_thread(self._run, batch, vectors, asked)

    def sweep_ttl(self) -> int:
        """Delete what has expired in the project, agents' memories too; how many."""
        self._swept_at = time.monotonic()
        total = 0
        with scoped():
            while swept := memories.drop_expired(SWEPT, project_id=self._scope.project_id):
                total += swept
        return total

    def _wanted(self, batch: Batch) -> tuple[list[str], list[str]]:
        """What has to be embedded: texts of items, and queries."""
        if self._indexing is None:
            return [], []
        texts = [text for op in batch.puts.values() for text in self._indexing.texts(op)]
        queries = [op.query for _, op in batch.searches if op.query]
        return list(dict.fromkeys(texts)), list(dict.fromkeys(queries))

    def _run(self, batch: Batch, vectors: Vectors, asked: Vectors) -> list[Result]:
        written = [self._item(item_id, op, vectors) for item_id, op in batch.puts.items() if op.value is not None]
        deleted = [item_id for item_id, op in batch.puts.items() if op.value is None]
        results: list[Result] = [None] * batch.count
        with scoped() as connection:
            if batch.reads:
                with raw_cursor(connection) as cursor:
                    self._read(cursor, batch, asked, results)
            if batch.puts:
                items.write(self._scope.project_id, written, deleted)
                self._sweep_if_due()
        return results

    def _read(self, cursor: Cursor[Any], batch: Batch, asked: Vectors, results: list[Result]) -> None:
        prolonged: set[UUID] = set()
        if batch.gets:
            rows = reading.get(cursor, self._scope, {item_id for _, _, item_id in batch.gets})
            for place, op, item_id in batch.gets:
                row = rows.get(item_id)
                results[place] = row.item() if row else None
                prolonged |= {item_id} if row and row.has_ttl and op.refresh_ttl else set()
        if batch.searches:
            embedder = self._indexing.name if self._indexing and asked else ""
            searches = [Search(op, asked.get(op.query or ""), embedder) for _, op in batch.searches]
            every = searching.search(cursor, self._scope, searches)
            for (place, search), hits in zip(batch.searches, every, strict=True):
                results[place] = [row.search_item(score) for score, row in hits]
                prolonged |= {row.memory_id for _, row in hits if row.has_ttl and search.refresh_ttl}
        if batch.listings:
            listed = reading.namespaces(cursor, self._scope, [op for _, op in batch.listings])
            for (place, _), found in zip(batch.listings, listed, strict=True):
                results[place] = found
        if prolonged:
            reading.prolong(cursor, prolonged)

    def _item(self, item_id: UUID, op: PutOp, vectors: Vectors) -> items.Item:
        value, exact = values.encode(dict(op.value or {}))
        texts = self._indexing.texts(op) if self._indexing else []
        shown = "\n".join(texts) or json.dumps(op.value, ensure_ascii=False)
        return items.Item(
            item_id,
            [plain(label) for label in op.namespace],
            plain(op.key),
            value,
            exact,
            storable_text(shown[:MOST_TEXT]),
            text_digest(exact or value),
            [vectors[text] for text in texts],
            self._indexing.name if self._indexing and texts else "",
            op.ttl,
        )

    def _sweep_if_due(self) -> None:
        minutes = (self.ttl_config or {}).get("sweep_interval_minutes")
        if minutes and time.monotonic() - self._swept_at >= minutes * 60:
            self.sweep_ttl()


def _by_text(texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> Vectors:
    """Raises ValueError if the embedder did not give a vector for each text."""
    return {text: vector_text(vector) for text, vector in zip(texts, vectors, strict=True)}
