"""The parts of a JSON value that a path names."""

from collections.abc import Iterator
from typing import Any

EACH = "*"


def parts(value: Any, path: str) -> Iterator[Any]:
    """What stands at `path` in a JSON value: names and places with points between them, `*` for each of a list or dict.

    Nothing where there is no such place. `items.*.price` are the prices of all items.
    """
    yield from _parts(value, path.split("."))


def _parts(value: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, others = steps[0], steps[1:]
    for one in _at(value, step):
        yield from _parts(one, others)


def _at(value: Any, step: str) -> Iterator[Any]:
    if isinstance(value, dict):
        if step == EACH:
            yield from value.values()
        elif step in value:
            yield value[step]
    elif isinstance(value, list):
        if step == EACH:
            yield from value
        elif step.isdecimal() and int(step) < len(value):
            yield value[int(step)]
