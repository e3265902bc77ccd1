"""Grouping vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.graphs.brains.extractive_clusters import cluster, silhouette


def clouds(*sizes: int, spread: float = 0.1) -> np.ndarray:
    """Unit vectors around as many directions as there are sizes, always the same ones."""
    random = np.random.default_rng(7)
    points = [
        np.eye(32, dtype=np.float32)[direction] + spread * random.standard_normal(32).astype(np.float32)
        for direction, size in enumerate(sizes)
        for _ in range(size)
    ]
    vectors = np.array(points, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("sizes", [(8, 6), (9, 7, 5), (12, 8, 6, 4)])
def test_clear_groups_are_found_and_numbered_by_size(sizes):
    labels = cluster(clouds(*sizes), fewest=2, most=6)
    expected = [number for number, size in enumerate(sizes) for _ in range(size)]
    assert labels.tolist() == expected


def test_no_more_and_no_fewer_groups_than_allowed():
    vectors = clouds(6, 6, 6, 6)
    assert cluster(vectors, fewest=2, most=3).max() + 1 in {2, 3}
    assert cluster(vectors, fewest=1, most=1).max() == 0


def test_a_stray_vector_is_no_group_of_its_own():
    labels = cluster(clouds(10, 9, 1), fewest=2, most=3)
    assert np.bincount(labels).min() >= 3


def test_one_vector_or_none_is_one_group():
    assert cluster(clouds(1), fewest=1, most=4).tolist() == [0]
    assert cluster(np.empty((0, 4), np.float32), fewest=1, most=4).tolist() == []


def test_equal_vectors_can_be_grouped():
    vectors = np.repeat(clouds(1), 9, axis=0)
    assert len(cluster(vectors, fewest=1, most=3)) == 9


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 6))
def test_groups_are_the_same_each_time_and_none_is_empty(seed, count, most):
    vectors = np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = cluster(vectors, fewest=1, most=most)
    assert labels.tolist() == cluster(vectors, fewest=1, most=most).tolist()
    assert set(labels.tolist()) == set(range(int(labels.max()) + 1))
    assert labels.max() + 1 <= max(most, 1)
    sizes = np.bincount(labels)
    assert (np.diff(sizes) <= 0).all()


def test_the_silhouette_is_as_counted_by_hand():
    vectors = clouds(4, 3, spread=0.4)
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    distances = 1 - vectors @ vectors.T
    widths = []
    for place, own in enumerate(labels):
        inside = [distances[place, other] for other in range(7) if labels[other] == own and other != place]
        outside = [distances[place, other] for other in range(7) if labels[other] != own]
        near, far = np.mean(inside), np.mean(outside)
        widths.append((far - near) / max(far, near))
    assert silhouette(vectors, labels) == pytest.approx(np.mean(widths), abs=1e-5)


def test_one_group_has_no_silhouette():
    assert silhouette(clouds(5), np.zeros(5, np.intp)) == 0
