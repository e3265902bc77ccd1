"""Precedents: how quickly and completely they are found among many, and what their order is worth.

The vectors of the first table are made: 500 clusters in 384 dimensions, as in the store's benchmark. The second table
asks the embedder itself about requests of `benchmarks/requests.py`: of the four that have the same concern as another,
how many are among the five that would stand beside it.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from django.db import connection
from django.utils import timezone

from agents.lifecycle import SessionStatus
from agents.models import Approval, Project, User
from benchmarks import desk, missions, tables
from benchmarks.requests import CONCERNS
from memory import embedders, meanings, precedents
from memory.embedders import DIMENSION
from memory.models import Precedent

CLUSTERS = 500
QUERIES = 100
NEAREST = 5
EVERY = 10**9
SEED = 20_261
NAME = "made"
SIZES = (("10,000", 10_000, 1), ("5,000 beside 20,000", 5_000, 1), ("500 beside 24,500", 500, 20))
BONUSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
FLOORS = (0.3, 0.4, 0.45, 0.5, 0.6)


@dataclass
class Measured:
    """Milliseconds as it is and by an exact scan, and the shares of the exact scan's five that were found."""

    ours: list[float]
    exact: list[float]
    recalls: list[float]


def run(project: Project, user: User) -> dict[str, Measured]:
    """For each size of a project what a search takes and finds, in turns with an exact scan."""
    random = np.random.default_rng(SEED)
    centres = random.normal(size=(CLUSTERS, DIMENSION))
    asked: dict[str, list[Precedent]] = {}
    for name, count, projects in SIZES:
        for number in range(projects):
            place = Project.objects.create(name=f"{name} {number}", slug=f"precedents-{count}-{number}")
            kept = _fill(place, user, count, random, centres)
            asked[name] = [kept[at] for at in random.integers(len(kept), size=QUERIES)]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE approval_precedents, approvals")
    return {name: _measure(queries) for name, queries in asked.items()}


def _fill(
    project: Project, user: User, count: int, random: np.random.Generator, centres: np.ndarray
) -> list[Precedent]:
    """So many decided requests of one agent with their vectors."""
    agent = missions.at_rest(project, user, SessionStatus.WAITING_APPROVAL)
    missions.keep([agent])
    wait = desk.wait_of(agent)
    wait.save()
    now = timezone.now()
    made = [desk.request_of(wait, number) for number in range(count)]
    for number, one in enumerate(made):
        one.position, one.status, one.verdict = number, "approved", "approve"
        one.decided_how, one.decided_by, one.decided_at, one.dispatched_at = "person", user, now, now
    Approval.objects.bulk_create(made, batch_size=500)
    vectors = centres[random.integers(CLUSTERS, size=count)] + 0.7 * random.normal(size=(count, DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = [
        Precedent(
            approval_id=one.pk, project=project, tool_name=one.tool_name, vector=vector, embedder=NAME,
            claimed_until=now, decided_at=now,
        )
        for one, vector in zip(made, vectors, strict=True)
    ]  # fmt: skip
    return Precedent.objects.bulk_create(kept, batch_size=500)


def _measure(queries: list[Precedent]) -> Measured:
    found = Measured([], [], [])
    for query in queries[:10]:
        precedents.alike(query, NEAREST)
    for query in queries:
        ours = _timed(found.ours, partial(precedents.alike, query, NEAREST))
        exact = _timed(found.exact, partial(precedents.alike, query, NEAREST, most=EVERY))
        found.recalls.append(len(ours & exact) / len(exact) if exact else 1.0)
    return found


def _timed(taken: list[float], ask: Callable[[], list[precedents.Hit]]) -> set[object]:
    began = time.perf_counter()
    hits = ask()
    taken.append((time.perf_counter() - began) * 1000)
    return {hit.approval_id for hit in hits}


def blends() -> list[tuple[str, float, float, float]]:
    """For each bonus of the same tool how many of the four were found, and how many of the five had the same tool."""
    labels, tools, likeness = _likeness()
    same_concern = labels[:, None] == labels
    same_tool = tools[:, None] == tools
    rows = []
    for bonus in BONUSES:
        scores = likeness + bonus * same_tool
        best = np.argsort(-scores, axis=1)[:, :NEAREST]
        found = np.take_along_axis(same_concern, best, axis=1).sum(axis=1) / 4
        first = np.take_along_axis(same_concern, best[:, :1], axis=1).mean()
        rows.append((f"{bonus:.2f}", float(found.mean()), float(first),
                     float(np.take_along_axis(same_tool, best, axis=1).mean())))  # fmt: skip
    return rows


def floors() -> list[tuple[str, float, float]]:
    """For each floor which share of the pairs of one concern, and of the others, is above it."""
    labels, _, likeness = _likeness()
    same = labels[:, None] == labels
    is_pair = ~np.isinf(likeness)
    return [
        (f"{floor:.2f}", float((likeness[same & is_pair] >= floor).mean()), float((likeness[~same] >= floor).mean()))
        for floor in FLOORS
    ]


def _likeness() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Concern and tool of each request, and how like each two are."""
    each = [(concern, *one) for concern, some in CONCERNS.items() for one in some]
    texts = [
        meanings.of_request(tool, tool.replace("_", " ").capitalize(), intent, goal, arguments)
        for _, tool, intent, goal, arguments in each
    ]
    vectors = embedders.active().embed(texts)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    return np.array([one[0] for one in each]), np.array([one[1] for one in each]), likeness


def table(measured: dict[str, Measured]) -> str:
    """All three tables."""
    rows = [
        (
            name,
            f"{statistics.mean(one.recalls):.2f}",
            f"{statistics.median(one.ours):.1f} ms",
            f"{_p95(one.ours):.1f} ms",
            f"{_p95(one.exact):.1f} ms",
            f"{_p95(one.ours) / _p95(one.exact):.2f}",
        )
        for name, one in measured.items()
    ]
    head = ("decided requests of the project", "recall@5", "median", "p95", "p95 of an exact scan", "ratio")
    order = [(name, f"{found:.3f}", f"{first:.3f}", f"{tool:.2f}") for name, found, first, tool in blends()]
    least = [(name, f"{same:.2f}", f"{other:.3f}") for name, same, other in floors()]
    return "".join(
        [
            tables.table("Precedents: one search", head, rows),
            tables.table(
                "What the same tool is preferred by",
                ("", "of the same concern found", "first of the same concern", "of the same tool"),
                order,
            ),
            tables.table("Likeness from which one is shown", ("", "pairs of one concern", "other pairs"), least),
        ]
    )


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
