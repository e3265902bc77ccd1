"""An item's value: as `jsonb`, which filters read, and as its own text where `jsonb` would change it."""

import json
import math
from typing import Any

from agents.storable import is_storable_text, storable_value


def encode(value: object) -> tuple[str, str | None]:
    """A value's text for `jsonb`, and its exact text where the two differ.

    `jsonb` cannot hold NUL and lone surrogates: they are left out or become question marks there. It turns -0.0 and
    1e22 into integers. Raises TypeError for what JSON does not have, ValueError for NaN, infinities and circles.
    """
    try:
        if _is_exact(value, "value"):
            return json.dumps(value), None
        return json.dumps(storable_value(value)), json.dumps(value)
    except RecursionError as error:
        raise ValueError("the value is nested too deeply, or holds itself") from error


def decode(text: str) -> Any:
    """The value of either text."""
    return json.loads(text)


def _is_exact(value: object, where: str) -> bool:
    """Whether `jsonb` gives the value back."""
    if value is None or isinstance(value, int):
        return True
    if isinstance(value, str):
        return is_storable_text(value)
    if isinstance(value, float):
        return _is_exact_float(value, where)
    if isinstance(value, dict):
        return all([_is_exact_entry(key, item, where) for key, item in value.items()])
    if isinstance(value, list | tuple):
        return all([_is_exact(item, f"{where}[{place}]") for place, item in enumerate(value)])
    raise TypeError(f"{where} is a {type(value).__name__}, which JSON does not have")


def _is_exact_entry(key: object, item: object, where: str) -> bool:
    if not isinstance(key, str):
        raise TypeError(f"{where} has the key {key!r}; JSON's keys are texts")
    return _is_exact(item, f"{where}[{key!r}]") and is_storable_text(key)


def _is_exact_float(value: float, where: str) -> bool:
    if not math.isfinite(value):
        raise ValueError(f"{where} is {value}, which JSON does not have")
    return "e+" not in repr(value) and repr(value) != "-0.0"
