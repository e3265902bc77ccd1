"""JSON that a person gives as text, in a form or in a command."""

import json
import math
from typing import Any


def parse_json(text: str) -> Any:
    """A value from JSON. Raises ValueError, with a message for a person."""
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except ValueError as error:
        raise ValueError(f"This is no JSON: {error}.") from None
    except RecursionError:
        raise ValueError("This is nested too deeply.") from None


def _refused(name: str) -> None:
    raise ValueError(f"it knows no {name}")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is too large a number")
    return number
