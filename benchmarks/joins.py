"""A thousand children under one coordinator beside the same number under a hundred: is the join a bottleneck?"""

import statistics
import time

from agents.lifecycle import SessionStatus
from agents.models import AgentSession, Project, User
from agents.roles import Level
from benchmarks import missions, tables

CHILDREN = 1000
SIZES = (10, CHILDREN)
ROUNDS = 3


def run(project: Project, user: User) -> dict[int, list[float]]:
    """Milliseconds a child of each round, by how many children a coordinator has."""
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size in SIZES:
            taken[size].append(one_round(project, user, size))
    return taken


def one_round(project: Project, user: User, size: int) -> float:
    """Milliseconds a child. Raises RuntimeError if a child was lost or counted twice."""
    began = time.perf_counter()
    coordinators = [
        missions.start(project, user, "bench.specialist", Level.SPECIALIST, below=[size])
        for _ in range(CHILDREN // size)
    ]
    missions.wait_for(coordinators)
    took = time.perf_counter() - began
    below = AgentSession.objects.filter(parent_id__in=coordinators, status=SessionStatus.SUCCEEDED).count()
    told = [output["children"] for output in missions.outputs(coordinators)]
    if below != CHILDREN or told != [size] * len(coordinators):
        raise RuntimeError(f"{below} children succeeded, coordinators were told of {told}")
    return took * 1000 / CHILDREN


def table(taken: dict[int, list[float]]) -> str:
    """Medians, and the ratio to ten children."""
    few = statistics.median(taken[SIZES[0]])
    rows = [
        (
            f"{size:,}",
            f"{statistics.median(each):.1f} ms",
            f"{min(each):.1f} to {max(each):.1f} ms",
            f"{1000 / statistics.median(each):.0f}",
            f"{statistics.median(each) / few:.2f}",
        )
        for size, each in taken.items()
    ]
    return tables.table(
        f"{CHILDREN:,} agents without work below coordinators, {ROUNDS} rounds interleaved",
        ("children of each", "a child", "range", "agents a second", "ratio"),
        rows,
    )
