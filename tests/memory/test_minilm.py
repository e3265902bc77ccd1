"""The embedder against the model's published figures and against a plain forward pass."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import embedders
from memory.embedders import minilm
from memory.errors import EmbedderDamaged, EmbedderMissing
from tests.memory.minilm_oracle import Oracle

TEXTS = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
    "",
    "Ünïcödé, 漢字 and 🐝",
    "A worker stops before it writes a file and waits until a person decides. " * 5,
    "bee " * 400,
]


@pytest.fixture(scope="module")
def model():
    return minilm.MiniLM()


def test_similarities_are_those_that_the_model_card_publishes(model):
    # the usage example of https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
    vectors = model.embed(TEXTS[:3])
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert np.allclose(vectors @ vectors.T, published, atol=5e-5)


def test_vectors_equal_the_plain_forward_pass(model):
    oracle = Oracle(minilm.model_dir())
    expected = np.array([oracle.embed(text) for text in TEXTS])
    cosines = (model.embed(TEXTS) * expected).sum(axis=1)
    assert cosines.min() >= 0.999999


def test_a_text_has_the_same_vector_alone_and_among_others(model):
    texts = [" ".join(["honey"] * (index * 7 % 90)) + f" {index}" for index in range(75)]
    together = model.embed(texts)
    alone = np.concatenate([model.embed([text]) for text in texts])
    assert np.abs(together - alone).max() < 1e-5


def test_vectors_are_float32_of_unit_length(model):
    vectors = model.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), model.dimension) == (len(TEXTS), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(model):
    assert model.embed([]).shape == (0, 384)


def test_lone_surrogates_are_embedded_as_question_marks(model):
    assert np.allclose(model.embed(["half \ud83d a bee"]), model.embed(["half ? a bee"]), atol=1e-6)


def test_words_beyond_256_pieces_do_not_count(model):
    long = "bee " * 300
    assert np.allclose(model.embed([long]), model.embed([long + "volcano " * 50]), atol=1e-6)
    assert not np.allclose(model.embed(["bee " * 200]), model.embed(["bee " * 200 + "volcano"]), atol=1e-3)


def test_a_text_of_a_hundred_megabytes_has_the_vector_of_its_beginning(model):
    book = "All bees are mortal. " * 5_000_000
    assert np.allclose(model.embed([book]), model.embed([book[:30_000]]), atol=1e-6)


def test_eight_threads_share_one_embedder_and_get_right_vectors(model):
    expected = model.embed(TEXTS)
    barrier = Barrier(8)

    def embed(_: int) -> np.ndarray:
        barrier.wait()
        return model.embed(TEXTS)

    with ThreadPoolExecutor(8) as pool:
        assert all(np.abs(vectors - expected).max() < 1e-5 for vectors in pool.map(embed, range(8)))


def test_the_active_embedder_is_this_model(model):
    assert np.allclose(embedders.active().embed(TEXTS), model.embed(TEXTS), atol=1e-5)
    assert (embedders.active().name, embedders.active().dimension) == (model.name, model.dimension)


def test_first_use_by_eight_threads_loads_the_model_once():
    script = """
import django; django.setup()
from threading import Barrier, Thread
from memory import embedders
barrier, seen = Barrier(8), []
def use():
    barrier.wait()
    seen.append(embedders.active())
threads = [Thread(target=use) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(seen), len(set(map(id, seen))))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ())
    assert done.stdout.split() == ["8", "1"]


def test_starting_django_does_not_load_the_model():
    script = "import django, sys; django.setup(); import memory.embedders; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ())
    assert done.stdout.strip() == "False"


def test_changed_weights_are_refused_by_name(tmp_path):
    shutil.copytree(minilm.model_dir(), tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(weights.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(EmbedderDamaged) as caught:
        minilm.MiniLM(tmp_path)
    assert caught.value.data["file"] == "model.safetensors"
    assert caught.value.data["found"] != caught.value.data["expected"] == minilm.SHA256["model.safetensors"]


def test_missing_weights_say_what_to_install(tmp_path):
    with pytest.raises(EmbedderMissing, match=r"requirements-nodeps\.txt") as caught:
        minilm.MiniLM(tmp_path)
    assert caught.value.data == {"package": minilm.PACKAGE, "file": "model.safetensors"}


def test_a_package_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(EmbedderMissing):
        minilm.model_dir()


def environ() -> dict[str, str]:
    """This process's variables for a fresh interpreter."""
    import os

    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


@given(st.lists(st.integers(1, minilm.MAX_TOKENS), max_size=300))
def test_a_run_is_bounded_and_every_text_is_in_one(lengths):
    runs = list(minilm._batches(lengths))
    assert sorted(place for run in runs for place in run) == list(range(len(lengths)))
    assert all(len(run) * max(lengths[place] for place in run) <= minilm._RUN_TOKENS for run in runs)
