"""A worker's several tasks in one turn: each has its own result, and one that fails leaves the others be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from agents.errors import DomainError, Fenced, HandedBack, NothingToGoOn, Stopped

Task = TypeVar("Task")
Result = TypeVar("Result")

OF_THE_WHOLE = (Fenced, HandedBack, Stopped)  # these end the agent's turn, not one of its tasks
Failures = dict[str, str]
"""Why tasks failed, by their places; keys of JSON are text."""


def each(
    tasks: Mapping[int, Task], work: Callable[[int, Task], Result], *, alone: bool
) -> tuple[dict[int, Result], Failures]:
    """What `work` makes of each task by its place, and why it could not. What one that is `alone` raises is raised."""
    done: dict[int, Result] = {}
    failed: Failures = {}
    for place, task in tasks.items():
        try:
            done[place] = work(place, task)
        except DomainError as error:
            if alone or isinstance(error, OF_THE_WHOLE):
                raise
            failed[str(place)] = str(error)
    return done, failed


def results(outputs: Mapping[int, Any], names: Sequence[str], failed: Failures) -> dict[str, Any]:
    """The result of a batch, one a task in order. Raises NothingToGoOn when all have failed."""
    if len(failed) == len(names):
        first = min(failed, key=int)
        raise NothingToGoOn(f"None of the {len(names)} tasks could be done. {names[int(first)]}: {failed[first]}")
    return {
        "results": [
            {"name": name, "output": outputs.get(place), "error": failed.get(str(place), "")}
            for place, name in enumerate(names)
        ]
    }
