"""A state as rows of a tree. Only what is open becomes rows; the rest is asked for by its path, page by page."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from agents.errors import NotFound
from orchestrator.web.state_values import clean, entries, held, opened, preview, reads_in_a_line, type_words, words

Path = tuple[str | int, ...]
"""Keys of mappings, as text, and positions in lists, from the top."""

PAGE = 50  # rows of one holder that are sent at once
_MOST_ROWS = 200  # at first
_OPEN_AT_FIRST = 12  # a holder of more is closed at first
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its path, key, value in words and type.

    `is_open` is None for what cannot be opened. `place` is where it stands among the `of` in its holder. The row
    that stands for the next page has the path of its holder, and in `more` the place where that page starts.
    """

    path: Path
    key: str
    value: str
    type_words: str
    place: int
    of: int
    is_open: bool | None = None
    more: int | None = None
    change: str = ""

    @property
    def level(self) -> int:
        """1 at the top."""
        return len(self.path) + (self.more is not None)

    @property
    def address(self) -> str:
        """The path as text, for `path_of`."""
        return json.dumps(self.path)

    @property
    def element_id(self) -> str:
        """The same at every checkpoint, so that what a person opened stays open."""
        named = f"{self.address} {self.more}"
        return f"state-{blake2b(named.encode(), digest_size=8).hexdigest()}"


def path_of(address: str) -> Path:
    """The path of a row's `address`. Raises NotFound for any other text."""
    try:
        path = json.loads(address)
    except (ValueError, RecursionError):
        raise NotFound from None
    if not isinstance(path, list) or len(path) > _DEEPEST or not all(type(step) in (str, int) for step in path):
        raise NotFound
    return tuple(path)


def rows(state: Mapping[str, Any]) -> list[Row]:
    """The rows of a state, each before what it holds; small holders at the top are open."""
    found: list[Row] = []
    for row, value in _page((), state, 0):
        inside = held(value)
        if row.is_open is None or not inside or len(inside) > min(_OPEN_AT_FIRST, _MOST_ROWS - len(found)):
            found.append(row)
        else:
            found += [replace(row, is_open=True), *(one for one, _ in _page(row.path, inside, 0))]
    return found


def children(state: Any, path: Path, start: int = 0) -> list[Row]:
    """A page of the rows of what stands at `path`, from place `start`. Raises NotFound."""
    return [row for row, _ in _page(path, value_at(state, path), start)]


def value_at(state: Any, path: Path) -> Any:
    """What stands at a path. Raises NotFound."""
    for step in path:
        state = _at(opened(state), step)
    return state


def _at(holder: Any, step: str | int) -> Any:
    if isinstance(holder, Mapping):
        for key, value in holder.items():
            if str(key) == step:
                return value
    elif isinstance(holder, list | tuple) and isinstance(step, int) and 0 <= step < len(holder):
        return holder[step]
    raise NotFound


def _page(path: Path, value: Any, start: int) -> Iterator[tuple[Row, Any]]:
    """The rows of a page, with their values, and a row for the pages after it."""
    holder = held(value) or ()
    total = len(holder)
    for place, (step, inside) in enumerate(entries(holder, start, start + PAGE), start + 1):
        shut = None if reads_in_a_line(inside) or len(path) + 1 >= _DEEPEST else False
        told = words(inside) if shut is None else _what_it_says(inside)
        yield (
            Row((*path, step), clean(str(step)), told, type_words(inside) if shut is False else "", place, total, shut),
            inside,
        )
    if total > start + PAGE:
        rest = total - start - PAGE
        yield Row(path, "…", f"{rest} more", "", start + PAGE + 1, total, False, start + PAGE), None


def _what_it_says(value: Any) -> str:
    """The content of a message; nothing of other holders, whose type is told."""
    told = preview(value)
    return told if told.startswith("“") else ""
