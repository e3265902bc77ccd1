"""What a request means, as a text that an embedder takes in whole."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

from agents.storable import storable_text

LONGEST_PART = 300  # characters of the agent's words
LONGEST_GOAL = 200
LONGEST_ARGUMENT = 100
LONGEST_ARGUMENTS = 400  # of all together
_MOST_VALUES = 50  # that are looked at in one argument


def of_request(
    tool: str,
    title: str,
    intent: str,
    goal: str,
    arguments: Mapping[str, Any],
    *,
    secret: Collection[str] = (),
) -> str:
    """The text of a request: what is to be done, why, with what, for which mission. It has no `secret` arguments.

    Short arguments come first: they say more in a word than long ones do.
    """
    given = {name: _short(_words(value), LONGEST_ARGUMENT) for name, value in arguments.items() if name not in secret}
    known = sorted(
        (f"{_short(name, LONGEST_ARGUMENT)}: {text}" for name, text in given.items() if text), key=_by_length
    )
    lines = [
        f"{_short(title, LONGEST_PART)} ({tool})" if tool else _short(title, LONGEST_PART),
        _short(intent, LONGEST_PART),
        _short("; ".join(known), LONGEST_ARGUMENTS),
        _short(goal, LONGEST_GOAL),
    ]
    return "\n".join(filter(None, lines))


def _by_length(text: str) -> tuple[int, str]:
    return len(text), text


def _short(text: str, longest: int) -> str:
    """The beginning of a text, in one line."""
    return " ".join(storable_text(text[: 4 * longest]).split())[:longest]


def _words(value: Any) -> str:
    """The first values in a JSON value, however large or deep it is."""
    return " ".join(islice(_values(value), _MOST_VALUES))


def _values(value: Any) -> Iterator[str]:
    todo = [iter([value])]
    while todo:
        one = next(todo[-1], todo)
        if one is todo:
            todo.pop()
        elif isinstance(one, Mapping):
            todo.append(part for pair in one.items() for part in pair)
        elif isinstance(one, list | tuple):
            todo.append(iter(one))
        elif one is not None:
            yield str(one)[: 4 * LONGEST_ARGUMENT]
