"""Which texts of an item are embedded, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import orjson
from langchain_core.embeddings import Embeddings
from langgraph.store.base import ensure_embeddings, get_text_at_path

from memory import embedders

if TYPE_CHECKING:
    from langgraph.store.base import IndexConfig, PutOp

WHOLE = "$"  # the path of the whole value, as JSON


class LocalEmbeddings(Embeddings):
    """This installation's embedder as LangChain has them."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        vectors: list[list[float]] = embedders.active().embed(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The text's vector."""
        return self.embed_documents([text])[0]


class Indexing:
    """How a store's items are indexed: the paths of their texts, and the embedder."""

    def __init__(self, config: IndexConfig | None) -> None:
        """`config` as LangGraph's; without `embed` the installation's own embedder.

        Raises ValueError where `dims` is another number than the table's vectors have.
        """
        given = config or {}
        if given.get("dims", embedders.DIMENSION) != embedders.DIMENSION:
            raise ValueError(f"vectors have {embedders.DIMENSION} dimensions here, not {given['dims']}")
        self.fields: Sequence[str] = given.get("fields") or [WHOLE]
        embed = given.get("embed")
        self.embeddings = ensure_embeddings(embed) if embed else LocalEmbeddings()

    @property
    def name(self) -> str:
        """What the vectors are labelled with: those of two embedders are never compared."""
        if isinstance(self.embeddings, LocalEmbeddings):
            return embedders.active().name
        model = getattr(self.embeddings, "model", None)
        kind = type(self.embeddings).__name__
        return f"{kind}:{model}" if isinstance(model, str) else kind

    def texts(self, op: PutOp) -> list[str]:
        """The texts of an item that are embedded, none where it is not to be indexed."""
        paths: Sequence[str] | Literal[False] = self.fields if op.index is None else op.index
        if not paths or op.value is None:
            return []
        found = (text for path in paths for text in get_text_at_path(op.value, path))
        return list(dict.fromkeys(found))


def vector_text(vector: Sequence[float]) -> str:
    """A vector as PostgreSQL reads it. Raises ValueError if it is not of the table's length, or not of numbers."""
    numbers = np.asarray(vector, np.float32)
    if numbers.shape != (embedders.DIMENSION,) or not np.isfinite(numbers).all():
        raise ValueError(f"an embedder must give {embedders.DIMENSION} finite numbers, not shape {numbers.shape}")
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY).decode()  # pgvector's own takes 1 ms
