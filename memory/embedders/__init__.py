"""Embedders: text in, unit vectors out. `active()` is the one that this installation searches with."""

from threading import Lock
from typing import TypeAlias

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from agents.graphs.ports import Embedder

Vectors: TypeAlias = NDArray[np.float32]

DIMENSION = 384


_lock = Lock()
_active: Embedder | None = None


def active() -> Embedder:
    """The embedder of this process, made on first use and shared by all threads.

    Loading takes half a second and 200 MB, so that processes that never embed do not pay for it.
    """
    global _active
    if _active is None:
        with _lock:
            if _active is None:
                from memory.embedders.minilm import MiniLM
                from memory.embedders.remembering import Remembering

                _active = Remembering(MiniLM(threads=getattr(settings, "EMBEDDER_THREADS", 0)))
    return _active
