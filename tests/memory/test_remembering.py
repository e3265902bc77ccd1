"""The embedder that remembers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from memory.embedders.remembering import Remembering


class Counting:
    """A stand-in for a model: a text's vector follows from its length, and each call is kept."""

    name = "counting"
    dimension = 4

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.calls.append(list(texts))
        return np.array([[len(text), 1, 2, 3] for text in texts], np.float32).reshape(len(texts), 4)


def test_a_text_is_embedded_once():
    model = Counting()
    remembering = Remembering(model)
    assert remembering.embed(["a", "bb", "a"])[:, 0].tolist() == [1, 2, 1]
    assert remembering.embed(["bb", "ccc"])[:, 0].tolist() == [2, 3]
    assert model.calls == [["a", "bb"], ["ccc"]]


def test_it_is_named_as_the_model_whose_vectors_it_gives():
    remembering = Remembering(Counting())
    assert (remembering.name, remembering.dimension) == ("counting", 4)


def test_nothing_to_embed_asks_nobody():
    model = Counting()
    assert Remembering(model).embed([]).shape == (0, 4)
    assert model.calls == []


def test_texts_asked_for_longest_ago_are_forgotten_first():
    model = Counting()
    remembering = Remembering(model, most=2)
    remembering.embed(["a", "bb"])
    remembering.embed(["a"])
    remembering.embed(["ccc"])
    remembering.embed(["a", "ccc"])
    assert model.calls == [["a", "bb"], ["ccc"]]
    remembering.embed(["bb"])
    assert model.calls[-1] == ["bb"]


def test_more_texts_than_it_keeps_are_answered_all_the_same():
    texts = ["x" * number for number in range(10)]
    assert Remembering(Counting(), most=3).embed(texts)[:, 0].tolist() == list(range(10))


def test_what_a_caller_does_to_its_vectors_changes_nobody_elses():
    remembering = Remembering(Counting())
    remembering.embed(["a"])[:] = 0
    assert remembering.embed(["a"])[0, 0] == 1


def test_lone_surrogates_are_told_apart():
    assert Remembering(Counting()).embed(["\ud800", "\ud801x"])[:, 0].tolist() == [1, 2]


def test_threads_get_right_vectors_while_texts_come_and_go():
    remembering = Remembering(Counting(), most=5)

    def ask(seed: int) -> bool:
        texts = ["x" * ((seed * 7 + number * 3) % 20) for number in range(30)]
        return remembering.embed(texts)[:, 0].tolist() == [len(text) for text in texts]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))
