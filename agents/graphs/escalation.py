"""What becomes of a problem that an agent below cannot solve."""

from collections.abc import Sequence
from typing import Any

from agents.graphs.colleagues import PassOn

SECONDS = 900.0  # until who is stuck goes on without a word from above


def do_without(parts: Sequence[Any], others: str) -> dict[str, str] | PassOn:
    """What is stuck is done without where other parts are worked on; else the level above decides."""
    rest = len(parts) - 1
    if rest < 1:
        return PassOn("nobody else works on this")
    return {"verdict": "skip", "words": f"{rest} more {others}."}
