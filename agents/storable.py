"""What PostgreSQL holds of texts and JSON: Python's may have NUL and halves of surrogate pairs, which it does not.

And when two values are the same as JSON, for to Python true is 1.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import orjson

MOST_DEPTH = 200  # parts in each other; canonical JSON has no more than 254


def storable_text(text: str) -> str:
    """The text without NUL, and a question mark for each lone surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def is_storable_text(text: str) -> bool:
    """Has the text neither of them?"""
    if "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def jsonb_text(value: object) -> str:
    """JSON that `jsonb` takes: of storable texts, without NaN; what is not JSON becomes its text."""
    text = _plain_text(value)
    return json.dumps(storable_value(value), default=str) if text is None else text


def jsonb_value(value: object) -> Any:
    """The value as it comes back from `jsonb_text`."""
    return orjson.loads(jsonb_text(value))


def is_storable(value: object) -> bool:
    """Does `jsonb` take the value's texts as they are?"""
    if _plain_text(value) is not None:
        return True
    plain = json.loads(json.dumps(value, default=str))
    return bool(storable_value(plain) == plain)


def _plain_text(value: object) -> str | None:
    """As JSON; None where that may have something that has to be cleaned away."""
    try:
        text = orjson.dumps(value, default=str).decode()
    except TypeError:
        return None
    return None if "\\u0000" in text else text


def storable_value(value: Any) -> Any:
    """Its texts storable, its keys texts, and None for what is no number."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable_value(str(key)): storable_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_value(item) for item in value]
    return value


def is_finite(value: Any) -> bool:
    """Is each number in a JSON value one that JSON has?"""
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is no 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    return bool(one == other)


def fault_of(value: Any) -> str:
    """Why a JSON value cannot be kept as it is, in words; empty: it can."""
    if _is_deep(value, MOST_DEPTH):
        return "It is nested too deeply."
    if not is_finite(value):
        return "It has a number that is none."
    return "" if is_storable(value) else "It has a character that cannot be stored."


def _is_deep(value: Any, left: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return left == 0 or any(_is_deep(one, left - 1) for one in parts)
