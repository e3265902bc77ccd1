"""Values of a state: what they hold, and how they read."""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

import orjson

from agents.errors import InvalidInput

LONGEST = 600  # characters of one text
_LONGEST_LINE = 100  # of a holder in one line
_MOST_IN_LINE = 6


def opened(value: Any) -> Any:
    """What holds others as a mapping or a list, such as a message of a chat model; anything else as it is."""
    if isinstance(value, Mapping | list | tuple) and not hasattr(value, "_asdict"):
        return value
    if hasattr(value, "_asdict"):
        return value._asdict()
    if hasattr(value, "model_dump"):
        return dict(value)
    if isinstance(value, AbstractSet | deque):
        return list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value


def is_list(value: Any) -> bool:
    """Whether an opened value is a list."""
    return isinstance(value, list | tuple)


def held(value: Any) -> Mapping[Any, Any] | Sequence[Any] | None:
    """What a value holds, if it holds anything."""
    inside = opened(value)
    return inside if (isinstance(inside, Mapping) or is_list(inside)) and inside else None


def entries(holder: Mapping[Any, Any] | Sequence[Any], start: int, stop: int) -> Iterator[tuple[str | int, Any]]:
    """Steps and values of a holder, from one place to another."""
    if isinstance(holder, Mapping):
        return ((str(key), value) for key, value in islice(holder.items(), start, stop))
    return enumerate(holder[start:stop], start)


def reads_in_a_line(value: Any) -> bool:
    """Whether a value is best read in one line: it holds nothing, or a few short scalars in a list."""
    inside = held(value)
    return inside is None or (is_list(inside) and len(inside) <= _MOST_IN_LINE and _line(inside) != "")


def _line(inside: Any) -> str:
    """A list of scalars in one line; empty if it is too long for that."""
    if any(held(one) is not None or len(str(one)) > _LONGEST_LINE for one in inside):
        return ""
    text = f"[{', '.join(words(one) for one in inside)}]"
    return text if len(text) <= _LONGEST_LINE else ""


def type_words(value: Any) -> str:
    """What kind of holder it is, and how much it holds."""
    inside = held(value)
    if inside is None:
        return ""
    return f"{'object' if isinstance(inside, Mapping) else 'list'}, {len(inside)}"


def preview(value: Any) -> str:
    """A value in a line: holders by what they say or how much they hold."""
    inside = held(value)
    if inside is None or reads_in_a_line(value):
        return words(value)
    if not isinstance(inside, Mapping):
        return f"{len(inside)} items"
    said = inside.get("content")
    if isinstance(said, str) and said:
        return words(said[:_LONGEST_LINE] + ("…" if len(said) > _LONGEST_LINE else ""))
    return f"object, {len(inside)}"


def words(value: Any, start: int = 0) -> str:
    """A value as text, cut to what a person can read; `start` is where in a long text to begin."""
    if isinstance(value, str):
        text = f"{'…' if start else ''}{value[start : start + LONGEST]}"
        rest = f"… {len(value)} characters" if len(value) > start + LONGEST else ""
        return clean(f"“{text}”{rest}")
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if is_list(inside := opened(value)) and inside:
        return _line(inside) or f"{len(inside)} items"
    text = _scalar(value)
    return clean(text if len(text) <= LONGEST else f"{text[:LONGEST]}… {len(text)} characters")


def _scalar(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):  # such as keys of other types
        return str(type(value).__name__)


def clean(text: str) -> str:
    """Text that can be sent: what UTF-8 and HTML refuse as it is written in JSON."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\u0000")


def as_json(value: Any) -> bytes:
    """A value as JSON to read: what JSON has no form for stands as text. Raises InvalidInput for one too deep."""
    try:
        return orjson.dumps(value, default=_other, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # lone surrogates, integers over 64 bits, deep nesting
        try:
            return json.dumps(value, default=_other, indent=2).encode()
        except (TypeError, ValueError, RecursionError):
            raise InvalidInput("This state cannot be written as JSON.") from None


def _other(value: Any) -> Any:
    inside = opened(value)
    return str(value) if inside is value else inside
