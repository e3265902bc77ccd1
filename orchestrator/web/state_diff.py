"""What differs between two states, path by path. Equal is what is stored as the same bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import takewhile
from operator import eq
from typing import Any

from agents.checkpoints.codec import Encoder
from agents.checkpoints.serializer import StrictSerializer
from orchestrator.web.state_tree import Path
from orchestrator.web.state_values import LONGEST, clean, is_list, opened, preview, words

_SERDE = StrictSerializer()
_MOST_PAIRS = 4_000_000  # of items that are held against each other; beyond it they are compared by position
_SHORT = 48  # characters of a change beside its row
_BEFORE = 40  # characters of a long text that are shown before the first difference


class Kind(StrEnum):
    """What happened to a path."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


_TONES = {Kind.ADDED: ("add", "plus"), Kind.REMOVED: ("del", "cancelled"), Kind.CHANGED: ("chg", "edit")}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `count` items of a list that follow each other are one; only `old` or `new` counts where
    something was removed or added."""

    path: Path
    kind: Kind
    old: Any = None
    new: Any = None
    count: int = 1

    @property
    def place(self) -> list[str]:
        """The path in words, step by step, to be broken between them."""
        top, *rest = self.path
        steps = [clean(f"[{step}]" if isinstance(step, int) else f".{step}") for step in rest]
        if self.count > 1 and isinstance(first := self.path[-1], int):
            steps[-1] = f"[{first}…{first + self.count - 1}]"
        return [clean(str(top)), *steps]

    @property
    def tone(self) -> str:
        """Its class in a table of differences."""
        return _TONES[self.kind][0]

    @property
    def icon(self) -> str:
        """Its icon."""
        return _TONES[self.kind][1]

    @property
    def before(self) -> str:
        """The old value in words."""
        return self._told(self.old, Kind.ADDED)

    @property
    def after(self) -> str:
        """The new value in words."""
        return self._told(self.new, Kind.REMOVED)

    def _told(self, value: Any, missing: Kind) -> str:
        if self.kind is missing:
            return "—"
        if self.count > 1:
            return f"{self.count} items"
        if isinstance(self.old, str) and isinstance(self.new, str) and len(value) > LONGEST:
            return words(value, max(0, _common(self.old, self.new) - _BEFORE))
        return preview(value)


def compare(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """The differences from `old` to `new`, in the order of `new`."""
    inside = _inside(old, new, path)
    if inside is None:
        if _mark(old) != _mark(new):
            yield Change(path, Kind.CHANGED, old, new)
        return
    first = next(inside, None)
    if first is not None:
        yield first
        yield from inside
    elif type(old) is not type(new):  # a tuple is no list
        yield Change(path, Kind.CHANGED, old, new)


def _inside(old: Any, new: Any, path: Path) -> Iterator[Change] | None:
    """The differences of what both hold; None unless both hold things of one kind."""
    one, other = opened(old), opened(new)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return _mappings(one, other, path)
    if is_list(one) and is_list(other):
        return _lists(one, other, path)
    return None


def _mark(value: Any) -> bytes:
    """What a value is stored as: it tells 1 from True and 1.0, and finds NaN equal to itself."""
    encoded = Encoder().encode(_SERDE, value)
    return encoded.kind.encode() + encoded.data


def _mappings(old: Mapping[Any, Any], new: Mapping[Any, Any], path: Path) -> Iterator[Change]:
    for key, value in new.items():
        if key in old:
            yield from compare(old[key], value, (*path, str(key)))
        else:
            yield Change((*path, str(key)), Kind.ADDED, new=value)
    for key, value in old.items():
        if key not in new:
            yield Change((*path, str(key)), Kind.REMOVED, old=value)


def _lists(old: Sequence[Any], new: Sequence[Any], path: Path) -> Iterator[Change]:
    for tag, i, j, k, m in _blocks(old, new):
        if tag in ("replace", "equal"):
            both = min(j - i, m - k)
            for step in range(both):
                yield from compare(old[i + step], new[k + step], (*path, k + step))
            i, k = i + both, k + both
        if k < m:
            yield Change((*path, k), Kind.ADDED, new=new[k], count=m - k)
        if i < j:
            yield Change((*path, i), Kind.REMOVED, old=old[i], count=j - i)


def _blocks(old: Sequence[Any], new: Sequence[Any]) -> Iterator[tuple[str, int, int, int, int]]:
    """How the items of two lists stand to each other, as difflib's opcodes; equal ends are left out."""
    was, now = [_mark(item) for item in old], [_mark(item) for item in new]
    head = _common(was, now)
    tail = _common(was[head:][::-1], now[head:][::-1])
    i, j, k, m = head, len(old) - tail, head, len(new) - tail
    if (j - i) * (m - k) > _MOST_PAIRS or not (j - i and m - k):
        yield "replace", i, j, k, m
        return
    names = _names(old[i:j], was[i:j]), _names(new[k:m], now[k:m])
    for tag, a, b, c, d in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        yield tag, i + a, i + b, k + c, k + d


def _common(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items are equal from the start."""
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))


def _names(items: Sequence[Any], marks: Sequence[bytes]) -> list[object]:
    """What an item is known by: its own id, as messages have one, else what it is."""
    return [_id(item) or mark for item, mark in zip(items, marks, strict=True)]


def _id(item: Any) -> str:
    own = item.get("id") if isinstance(item, Mapping) else getattr(item, "id", None)
    return own if isinstance(own, str) else ""


def partner(old: Any, new: Any, path: Path) -> Any:
    """What stood in `old` where `path` leads in `new`. Raises LookupError if there was no such thing."""
    for step in path:
        one, other = opened(old), opened(new)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            keys = {str(key): key for key in one}
            old, new = one[keys[str(step)]], other[next(key for key in other if str(key) == step)]
        elif is_list(one) and is_list(other) and isinstance(step, int):
            old, new = one[_position(one, other, step)], other[step]
        else:
            raise LookupError(step)
    return old


def _position(old: Sequence[Any], new: Sequence[Any], wanted: int) -> int:
    end = 0
    for tag, i, j, k, m in _blocks(old, new):
        if wanted < k:
            return wanted - k + i
        if wanted < m:
            if tag != "insert" and wanted - k < j - i:
                return i + wanted - k
            raise LookupError(wanted)
        end = j - m
    return wanted + end


class Changes:
    """Differences, told for whatever holds them."""

    def __init__(self, changes: Iterable[Change]) -> None:
        """In the order of `compare`."""
        self.all = list(changes)
        self._within: dict[Path, list[Change]] = {}
        self._added: dict[Path, list[range]] = {}
        for change in self.all:
            if change.kind is Kind.ADDED and isinstance(first := change.path[-1], int):
                self._added.setdefault(change.path[:-1], []).append(range(first, first + change.count))
            for depth in range(1, len(change.path) + 1):
                self._within.setdefault(change.path[:depth], []).append(change)

    def count(self, kind: Kind, path: Path = ()) -> int:
        """How many there are of a kind, or how many below a path."""
        return sum(change.count for change in (self._within.get(path, ()) if path else self.all) if change.kind is kind)

    def told(self, path: Path) -> str:
        """What happened at or below a path, in few words; empty for nothing."""
        if any(path[-1] in run for run in self._added.get(path[:-1], ())):
            return "added"
        found = self._within.get(path, [])
        exact = next((change for change in found if change.path == path and change.kind is not Kind.REMOVED), None)
        if exact is not None:
            return "added" if exact.kind is Kind.ADDED else _short(exact)
        if not found:
            return ""
        added, removed, changed = (self.count(kind, path) for kind in (Kind.ADDED, Kind.REMOVED, Kind.CHANGED))
        parts = (
            f"+{added}" if added else "",
            f"-{removed}" if removed else "",
            f"{changed} changed" if changed else "",
        )
        return ", ".join(filter(None, parts))


def _short(change: Change) -> str:
    told = f"{change.before} → {change.after}"
    return told if len(told) <= _SHORT else "changed"
