"""Grouping vectors by what belongs together. No randomness: the same vectors give the same groups."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Labels = NDArray[np.intp]

_ROUNDS = 10
_SMALLEST = 3
_WORTH_A_SPLIT = 0.9  # of the best silhouette: more groups are taken when they are nearly as clear


def cluster(vectors: Vectors, *, fewest: int, most: int) -> Labels:
    """A group for each vector, `fewest` to `most` of them, as many as are clearest; numbered by size.

    Numbers that leave a group with fewer than three vectors are not taken, unless there is no other.

    Ward's method (1963) finds the groups for each number, k-means on the sphere settles their borders, and the
    mean silhouette (Rousseeuw 1987) chooses the number.
    """
    count = len(vectors)
    if count < 2 or most < 2:
        return np.zeros(count, np.intp)
    spread = centred(vectors)
    merges = _ward(spread)
    options: list[tuple[float, Labels]] = []
    for number in range(max(fewest, 1), min(most, count) + 1):
        labels = _settled(spread, _cut(merges, count, number))
        options.append((silhouette(spread, labels), labels))
    even = [(score, labels) for score, labels in options if np.bincount(labels).min() >= _SMALLEST] or options[:1]
    best = max(score for score, _ in even)
    chosen = [labels for score, labels in even if score >= _WORTH_A_SPLIT * best or score == best][-1]
    return _by_size(chosen)


def centred(vectors: Vectors) -> Vectors:
    """The vectors without what all have in common, of unit length."""
    apart = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(apart, axis=1, keepdims=True)
    unit: Vectors = apart / np.maximum(lengths, 1e-9)
    return unit


def _ward(vectors: Vectors) -> list[tuple[int, int]]:
    """All merges, cheapest first, each of the group of one row into the group of another."""
    count = len(vectors)
    distances = np.maximum(2 - 2 * (vectors @ vectors.T), 0).astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    sizes = np.ones(count)
    merges = []
    for _ in range(count - 1):
        kept, gone = sorted(divmod(int(distances.argmin()), count))
        merges.append((kept, gone))
        both, others = sizes[kept] + sizes[gone], sizes
        joined = (
            (sizes[kept] + others) * distances[kept]
            + (sizes[gone] + others) * distances[gone]
            - others * distances[kept, gone]
        ) / (both + others)
        distances[kept], distances[:, kept] = joined, joined
        distances[gone], distances[:, gone] = np.inf, np.inf
        distances[kept, kept] = np.inf
        sizes[kept] = both
    return merges


def _cut(merges: list[tuple[int, int]], count: int, number: int) -> Labels:
    """The groups that are left when `number` remain."""
    labels = np.arange(count, dtype=np.intp)
    for kept, gone in merges[: count - number]:
        labels[labels == gone] = kept
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def _settled(vectors: Vectors, labels: Labels) -> Labels:
    """k-means from these groups on; a group never becomes empty, as then the last good ones stay."""
    number = int(labels.max()) + 1
    for _ in range(_ROUNDS):
        centres = np.stack([vectors[labels == group].mean(axis=0) for group in range(number)])
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
        moved = (vectors @ centres.T).argmax(axis=1).astype(np.intp)
        if len(np.unique(moved)) < number or (moved == labels).all():
            break
        labels = moved
    return labels


def silhouette(vectors: Vectors, labels: Labels) -> float:
    """How much nearer the vectors are to their own group than to the next, -1 to 1; 0 for one group."""
    groups = np.unique(labels)
    if len(groups) < 2:
        return 0.0
    distances = 1 - vectors @ vectors.T
    means = np.stack([distances[:, labels == group].sum(axis=1) for group in groups], axis=1)
    sizes = np.array([(labels == group).sum() for group in groups])
    own = np.searchsorted(groups, labels)
    rows = np.arange(len(vectors))
    inside = means[rows, own] / np.maximum(sizes[own] - 1, 1)
    averages = means / sizes
    averages[rows, own] = np.inf
    outside = averages.min(axis=1)
    widths = (outside - inside) / np.maximum(np.maximum(outside, inside), 1e-9)
    return float(np.where(sizes[own] > 1, widths, 0.0).mean())


def _by_size(labels: Labels) -> Labels:
    """The same groups, numbered from the largest; of equal ones the one that begins first is first."""
    groups, firsts, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(groups)), key=lambda place: (-sizes[place], firsts[place]))
    numbers = {int(groups[place]): number for number, place in enumerate(order)}
    return np.array([numbers[int(label)] for label in labels], np.intp)
