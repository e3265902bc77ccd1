"""A hundred agents at once, each waiting in its steps as on a model, beside ten. The stack has a hundred threads."""

import statistics
import time

from agents.models import Project, User
from agents.roles import Level
from benchmarks import missions, tables

SIZES = (10, 100)
STEPS = 6
WAIT_SECONDS = 5.0
ROUNDS = 3


def run(project: Project, user: User) -> dict[int, list[float]]:
    """Seconds from the first start to the last end of each round, by how many agents there are."""
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    for number in range(ROUNDS + 1):  # the first is not counted
        for size in SIZES:
            began = time.perf_counter()
            missions.wait_for(
                [
                    missions.start(project, user, "bench.waits", Level.WORKER, wait_seconds=WAIT_SECONDS, steps=STEPS)
                    for _ in range(size)
                ]
            )
            if number:
                taken[size].append(time.perf_counter() - began)
    return taken


def table(taken: dict[int, list[float]]) -> str:
    """Medians, and each agent's throughput beside that of ten."""
    few = statistics.median(taken[SIZES[0]])
    rows = [
        (
            str(size),
            f"{statistics.median(each):.2f} s",
            f"{min(each):.2f} to {max(each):.2f} s",
            f"{few / statistics.median(each):.2f}",
        )
        for size, each in taken.items()
    ]
    return tables.table(
        f"Agents that wait {STEPS} times {WAIT_SECONDS:.0f} s at once, {ROUNDS} rounds interleaved",
        ("agents", "all", "range", "throughput of each"),
        rows,
    )
