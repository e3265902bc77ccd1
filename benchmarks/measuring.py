"""Figures of several contenders, taken in turns."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contenders import OURS, THEIRS

ROUNDS = 200
WARM_UP = 20
GRAPH_ROUNDS = 9
Task = Callable[[], Callable[[], object]]
"""Prepares what is to be measured, and returns it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, for each saver, in which unit, and what share of PostgresSaver's is aimed at."""

    what: str
    unit: str
    values: dict[str, float]
    aim: str = ""

    @property
    def ratio(self) -> float:
        """Ours as a share of PostgresSaver's."""
        return self.values[OURS] / self.values[THEIRS]


def interleaved(
    tasks: dict[str, Task], rounds: int, clock: Callable[[], float], warm_up: int = WARM_UP
) -> dict[str, float]:
    """The median of each task by a clock in seconds, in ms; one round of all before the next."""
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + warm_up):
        for name, task in tasks.items():
            measured = task()
            began = clock()
            measured()
            if number >= warm_up:
                spent[name].append((clock() - began) * 1000)
    return {name: statistics.median(times) for name, times in spent.items()}


def always(task: Callable[[], object]) -> Task:
    """What needs no preparation."""
    return lambda: task
