"""What PostgreSQL holds of texts and JSON: Python's may have NUL and halves of surrogate pairs, which it does not."""

import json
import math
from collections.abc import Mapping
from typing import Any

import orjson


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
