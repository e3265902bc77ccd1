"""A store of a project of its own."""

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
import pytest

from memory.embedders import DIMENSION
from memory.store import QueenrightStore
from tests.factories import make_project


def letters(texts: list[str]) -> list[list[float]]:
    """Vectors whose likeness is easy to foresee: how often each letter stands in a text. Same letters, same vector."""
    vectors = np.zeros((len(texts), DIMENSION))
    for row, text in enumerate(texts):
        for letter in text.lower():
            if letter.isalpha():
                vectors[row, blake2b(letter.encode(), digest_size=2).digest()[0]] += 1
    return vectors.tolist()


@pytest.fixture
def make_store(db: None) -> Callable[..., QueenrightStore]:
    """Makes stores of one project; each with an embedder by letters, unless told otherwise."""
    project = make_project()

    def make(**options) -> QueenrightStore:
        return QueenrightStore(project.pk, **{"index": {"embed": letters, "fields": ["text"]}} | options)

    return make


@pytest.fixture
def store(make_store) -> QueenrightStore:
    """A store."""
    return make_store()
