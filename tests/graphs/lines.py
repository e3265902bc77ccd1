"""What the tests let the model say, and the tools of all graphs: each leaves a line behind."""

import os
from pathlib import Path

from langchain_core.tools import tool

from tests.scripted import Script

MODEL = Script(lines=[])


def leave(line: str) -> None:
    with Path(os.environ["QUEENRIGHT_TEST_TRACE"]).open("a") as trace:
        trace.write(f"{line}\n")


@tool
def send(to: str, text: str = "") -> str:
    """Send a letter."""
    leave(f"send:{to}")
    return f"sent to {to}"


@tool
def burn(to: str) -> str:
    """Burn a letter."""
    leave(f"burn:{to}")
    return f"burnt {to}"
