"""Versions of a list as splices of earlier ones.

A version in full is level 0. One of level 1 says how many items it shares with the start and the end of one in full,
and names the others; one of level 2 says so of one of level 1. So one row more is enough for what was appended,
changed, removed or trimmed, and at most three rows are read.
"""

from __future__ import annotations

from typing import NamedTuple

from agents.checkpoints.codec import HASH_BYTES

NEAR_ITEMS = 8  # that a version of level 2 may name itself
FAR_ITEMS = 64  # that a version of level 1 may name; of a long list a sixteenth


class Base(NamedTuple):
    """A version that others build on, with all its items."""

    version: str
    items: bytes


Bases = tuple[Base, ...]
"""A version in full, and perhaps one of level 1 on it."""


class Splice(NamedTuple):
    """The first `head` items of `base`, `items`, the last `tail` items of `base`. Without a base: `items`."""

    items: bytes
    level: int = 0
    base: str | None = None
    head: int = 0
    tail: int = 0

    def applied(self, base: bytes | None) -> bytes | None:
        """All items of this version; None if its base is missing."""
        if self.base is None:
            return self.items
        if base is None:
            return None
        return base[: self.head * HASH_BYTES] + self.items + base[len(base) - self.tail * HASH_BYTES :]


def splice(items: bytes, bases: Bases) -> Splice:
    """The shortest of the ways to store these items."""
    if len(bases) > 1:
        near = _on(bases[1], items, level=2)
        if len(near.items) <= NEAR_ITEMS * HASH_BYTES:
            return near
    if bases:
        far = _on(bases[0], items, level=1)
        if len(far.items) <= max(FAR_ITEMS * HASH_BYTES, len(items) // 16) and len(far.items) < len(items):
            return far
    return Splice(items)


def bases_after(version: str, items: bytes, level: int, bases: Bases) -> Bases:
    """What the next version may build on."""
    return bases if level == 2 else (*bases[:level], Base(version, items))


def _on(base: Base, items: bytes, level: int) -> Splice:
    most = min(len(base.items), len(items)) // HASH_BYTES
    head = _shared(base.items, items, most)
    tail = _shared_end(base.items, items, most - head)
    return Splice(items[head * HASH_BYTES : len(items) - tail * HASH_BYTES], level, base.version, head, tail)


def _shared(one: bytes, other: bytes, most: int) -> int:
    """How many items both start with, of `most`."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[low * HASH_BYTES : middle * HASH_BYTES] == other[low * HASH_BYTES : middle * HASH_BYTES]:
            low = middle
        else:
            high = middle - 1
    return low


def _shared_end(one: bytes, other: bytes, most: int) -> int:
    """How many items both end with, of `most`."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if (
            one[len(one) - middle * HASH_BYTES : len(one) - low * HASH_BYTES]
            == other[len(other) - middle * HASH_BYTES : len(other) - low * HASH_BYTES]
        ):
            low = middle
        else:
            high = middle - 1
    return low
