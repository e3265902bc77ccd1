"""How long a tree of 1 + 4 + 16 + 64 agents without work takes, told against polling."""

import statistics
import time
from dataclasses import dataclass
from uuid import uuid4

from django.db import connection

from agents.actor import SYSTEM
from agents.lifecycle import FINAL, SessionStatus
from agents.models import AgentSession, Project, User
from agents.roles import Level
from agents.services import sessions
from agents.services.sessions import Start
from benchmarks import tables
from benchmarks.agents import Tree

BELOW = (4, 4, 4)
AGENTS = 1 + 4 + 16 + 64
ROUNDS = 5
WAYS = {"told": 0.0, "polling 0.25 s": 0.25, "polling 1 s": 1.0}
PATIENCE = 300


@dataclass(frozen=True)
class Timing:
    """Seconds of each round of one way."""

    way: str
    seconds: list[float]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.seconds)


def run(project: Project, user: User) -> list[Timing]:
    """Run every way in turn, `ROUNDS` times, after one round of each that is not counted."""
    for poll_seconds in WAYS.values():
        one_tree(project, user, poll_seconds)
    rounds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, poll_seconds in WAYS.items():
            rounds[way].append(one_tree(project, user, poll_seconds))
    return [Timing(way, seconds) for way, seconds in rounds.items()]


def one_tree(project: Project, user: User, poll_seconds: float) -> float:
    """Seconds from the start of a tree to its root's end. Raises RuntimeError if it does not succeed whole."""
    kind = "poll" if poll_seconds else "bench"
    brief = Tree(below=BELOW, poll_seconds=poll_seconds)
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
    return took


def _status(root: AgentSession) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM agent_sessions WHERE session_id = %s", [root.pk])
        (status,) = cursor.fetchone()
    return str(status)


def table(timings: list[Timing]) -> str:
    """Median, spread and ratio to being told."""
    told = timings[0].median
    rows = [
        (
            timing.way,
            f"{timing.median:.2f} s",
            f"{min(timing.seconds):.2f} to {max(timing.seconds):.2f} s",
            f"{timing.median / told:.2f}",
        )
        for timing in timings
    ]
    return tables.table(
        f"{AGENTS} agents without work, {ROUNDS} rounds interleaved", ("parents are", "median", "range", "ratio"), rows
    )
