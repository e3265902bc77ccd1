"""JSON that a person gives as text, in a form or in a command."""

import json
from typing import Any


def parse_json(text: str) -> Any:
    """A value from JSON. Raises ValueError, with a message for a person."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"This is no JSON: {error}.") from None
    except RecursionError:
        raise ValueError("This is nested too deeply.") from None
