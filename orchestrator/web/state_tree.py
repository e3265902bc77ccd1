"""A state as rows of a tree, cut to what a person can read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

_MOST_ROWS = 600
_MOST_ITEMS = 40  # of one list or object
_LONGEST = 600  # characters of one text
_OPEN_TO = 2  # levels that are open at first
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One row: key, value in words and its type. `is_open` is None for what cannot be opened."""

    key: str
    value: str
    type_words: str
    level: int
    is_open: bool | None


def rows(state: Mapping[str, Any]) -> list[Row]:
    """The rows of a state, each before what it holds."""
    return list(islice(_inside(state.items(), 1), _MOST_ROWS))


def _inside(items: Any, level: int) -> Iterator[Row]:
    items = list(items)
    for key, value in items[:_MOST_ITEMS]:
        yield from _row(str(key), _plain(value), level)
    if len(items) > _MOST_ITEMS:
        yield Row("…", f"{len(items) - _MOST_ITEMS} more", "", level, None)


def _row(key: str, value: Any, level: int) -> Iterator[Row]:
    if isinstance(value, Mapping) and value:
        yield from _holder(key, f"object, {len(value)}", value.items(), level)
    elif _is_list(value) and value and not _is_short(value):
        yield from _holder(key, f"list, {len(value)}", enumerate(value), level)
    else:
        yield Row(key, _words(value), "", level, None)


def _holder(key: str, type_words: str, items: Any, level: int) -> Iterator[Row]:
    yield Row(key, "", type_words, level, level < _OPEN_TO if level < _DEEPEST else None)
    if level < _DEEPEST:
        yield from _inside(items, level + 1)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_short(value: Sequence[Any]) -> bool:
    """A few short scalars read best in one line."""
    return (
        len(value) <= 4 and all(not isinstance(one, Mapping | list | tuple) for one in value) and len(str(value)) < 80
    )


def _plain(value: Any) -> Any:
    """Objects that are no JSON, such as messages of a chat model, as what they hold."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value


def _words(value: Any) -> str:
    if isinstance(value, str):
        text = f"“{value}”"
    elif isinstance(value, bytes):
        text = f"{len(value)} bytes"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… {len(text)} characters"
