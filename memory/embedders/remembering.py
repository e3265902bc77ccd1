"""An embedder that remembers: agents of one mission ask for the same texts again and again."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from threading import Lock

import numpy as np

from agents.graphs.ports import Embedder
from memory.embedders import Vectors

MOST_TEXTS = 20_000  # of 1.5 kilobytes


class Remembering:
    """Another embedder, asked only for texts that it has not embedded lately. Threads may share it."""

    def __init__(self, embedder: Embedder, *, most: int = MOST_TEXTS) -> None:
        """`most`: texts whose vectors are kept; those asked for longest ago go first."""
        self.name = embedder.name
        self.dimension = embedder.dimension
        self._embedder = embedder
        self._most = most
        self._known: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text; the embedder works outside of the lock."""
        keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        found = self._recall(keys)
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if fresh:
            vectors = self._embedder.embed(list(fresh.values()))
            made = {key: vector.copy() for key, vector in zip(fresh, vectors, strict=True)}  # not the whole batch
            self._keep(made)
            found |= made
        rows = [found[key] for key in keys]
        return np.stack(rows) if rows else np.empty((0, self.dimension), np.float32)

    def _recall(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
            for key in found:
                self._known.move_to_end(key)
        return found

    def _keep(self, made: dict[bytes, Vectors]) -> None:
        with self._lock:
            self._known |= made
            while len(self._known) > self._most:
                self._known.popitem(last=False)
