"""How long a tree of 1 + 4 + 16 + 64 agents takes, told against polling; its workers wait as on a model."""

import statistics
import time
from dataclasses import dataclass
from uuid import uuid4

from django.db import connection

from agents.actor import SYSTEM
from agents.lifecycle import FINAL, SessionStatus
from agents.models import AgentRun, AgentSession, Project, User
from agents.roles import Level
from agents.services import sessions
from agents.services.sessions import Start
from benchmarks import tables
from benchmarks.agents import Tree

BELOW = (4, 4, 4)
AGENTS = 1 + 4 + 16 + 64
ROUNDS = 3
WAIT_SECONDS = 5.0
WAYS = {"told": 0.0, "polling 0.25 s": 0.25, "polling 1 s": 1.0}
PATIENCE = 300


@dataclass(frozen=True)
class Timing:
    """Seconds of each round of one way, and from the end of each last child to its parent's next step."""

    way: str
    seconds: list[float]
    joins: list[float]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.seconds)


def run(project: Project, user: User) -> list[Timing]:
    """Run every way in turn, `ROUNDS` times, after one round of each that is not counted."""
    timings = [Timing(way, [], []) for way in WAYS]
    for number in range(ROUNDS + 1):
        for timing in timings:
            seconds, joins = one_tree(project, user, WAYS[timing.way])
            if number:
                timing.seconds.append(seconds)
                timing.joins.extend(joins)
    return timings


def one_tree(project: Project, user: User, poll_seconds: float) -> tuple[float, list[float]]:
    """Seconds from the start of a tree to its root's end, and those of each join.

    Raises RuntimeError if it does not succeed whole.
    """
    kind = "poll" if poll_seconds else "bench"
    brief = Tree(below=BELOW, poll_seconds=poll_seconds, wait_seconds=WAIT_SECONDS)
    start = Start(f"{kind}.queen", Level.QUEEN, f"{kind} {uuid4()}", "", brief.model_dump(mode="json"))
    began = time.monotonic()
    root = sessions.start_mission(project, start, user=user, actor=SYSTEM)
    while _status(root) not in FINAL:
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError(f"the tree did not end within {PATIENCE} s")
        time.sleep(0.01)
    took = time.monotonic() - began
    done = AgentSession.objects.filter(root=root, status=SessionStatus.SUCCEEDED).count()
    if done != AGENTS:
        raise RuntimeError(f"{done} of {AGENTS} agents succeeded")
    outputs = AgentRun.objects.filter(session__root=root).values_list("output", flat=True)
    return took, [output["joined_after"] for output in outputs if "joined_after" in output]


def _status(root: AgentSession) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM agent_sessions WHERE session_id = %s", [root.pk])
        (status,) = cursor.fetchone()
    return str(status)


def table(timings: list[Timing]) -> str:
    """Median, spread and ratio to being told."""
    told = timings[0]
    rows = [
        (
            timing.way,
            f"{timing.median:.2f} s",
            f"{min(timing.seconds):.2f} to {max(timing.seconds):.2f} s",
            f"{timing.median / told.median:.2f}",
            f"{statistics.mean(timing.joins) * 1000:.0f} ms",
            f"{statistics.mean(told.joins) / statistics.mean(timing.joins):.2f}",
        )
        for timing in timings
    ]
    head = ("parents are", "median", "range", "ratio", "a join, mean", "told beside it")
    return tables.table(
        f"{AGENTS} agents whose workers wait {WAIT_SECONDS:.0f} s on average, {ROUNDS} rounds interleaved", head, rows
    )
