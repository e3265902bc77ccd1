"""Ten thousand agents that wait for somebody: what they cost the processor, and the agents that work.

Two stacks side by side, of which one has them: idle, both are looked at over the same time, and agents and claims take
turns. So the speed of the machine, which changes, is the same for both.
"""

import statistics
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from django.db import transaction

from agents.ids import new_id
from agents.lifecycle import SessionStatus, WaitKind
from agents.models import AgentSession, Project, SessionWait, User
from agents.roles import Level
from agents.services import leases
from benchmarks import driver, missions, tables
from tests.stack import Stack, running_stack

PARKED = 10_000
CHILDREN = 100  # of each that waits for them
SETTLE_SECONDS = 60  # the rows are new: PostgreSQL counts them first
LOOK_SECONDS = 60.0
LOOKS = 3
AGENTS = 200  # of each side, in turn
MAX_RUNNING = 200
TICK = 100  # a second, of /proc


@dataclass(frozen=True)
class Side:
    """A stack: its processor time when idle in ms a second, and the ms that each agent and each claim took."""

    idle: list[float] = field(default_factory=list)
    agents: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)


def run(alone: Stack) -> tuple[Side, Side]:
    """A stack without parked agents, and one beside it that has them."""
    found = Side(), Side()
    with (
        running_stack(**driver.USUAL) as beside,
        _driven(alone) as one,
        _driven(beside) as other,
    ):
        other.submit(driver.park).result()
        for drive in (one, other):
            drive.submit(driver.one_agent).result()
        time.sleep(SETTLE_SECONDS)
        for _ in range(LOOKS):
            for side, idle in zip(found, _idle(alone, beside), strict=True):
                side.idle.append(idle)
        for number in range(AGENTS):
            pairs = [(found[0], one), (found[1], other)]
            for side, drive in pairs if number % 2 else reversed(pairs):
                side.agents.append(drive.submit(driver.one_agent).result())
                side.claims.append(drive.submit(driver.one_claim).result())
    return found


def _driven(stack: Stack) -> Executor:
    return ProcessPoolExecutor(1, get_context("spawn"), driver.begin, (str(stack.data),))


def park() -> None:
    """Agents that wait for an approver, and those above who wait for them, as rows: that is all they are meanwhile."""
    project, user = Project.objects.get(), User.objects.get()
    above = [missions.at_rest(project, user, SessionStatus.WAITING_CHILDREN) for _ in range(PARKED // CHILDREN)]
    waits = {one.pk: _wait(one, WaitKind.CHILDREN, remaining=CHILDREN) for one in above}
    below = [
        missions.at_rest(
            project,
            user,
            SessionStatus.WAITING_APPROVAL,
            level=Level.WORKER,
            parent=one,
            root_id=one.pk,
            space_id=one.pk,
            path=[one.pk],
            parent_wait=waits[one.pk],
            position=place,
        )
        for one in above
        for place in range(CHILDREN)
    ]
    missions.keep(above)
    SessionWait.objects.bulk_create(waits.values())
    AgentSession.objects.bulk_create(below, batch_size=1000)
    SessionWait.objects.bulk_create([_wait(one, WaitKind.APPROVAL) for one in below], batch_size=1000)


def _wait(session: AgentSession, kind: WaitKind, **given: Any) -> SessionWait:
    return SessionWait(
        wait_id=new_id(),
        project_id=session.project_id,
        session=session,
        interrupt_id="asked",
        kind=kind,
        request={"key": "asked"},
        subject="an approver",
        reason="it is parked",
        **given,
    )


def _idle(*stacks: Stack) -> list[float]:
    """Milliseconds a second of all processes of each stack over the same time, while nothing is to be done."""
    time.sleep(5)  # what was begun is over
    before = [_ticks(stack.process.pid) for stack in stacks]
    time.sleep(LOOK_SECONDS)
    return [
        (_ticks(stack.process.pid) - earlier) * 1000 / TICK / LOOK_SECONDS
        for stack, earlier in zip(stacks, before, strict=True)
    ]


def _ticks(root: int) -> int:
    """Processor time of a process and all below it, as far as they still run."""
    parents: dict[int, int] = {}
    taken: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid = int(stat.parent.name)
        parents[pid], taken[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    total = 0
    for pid, ticks in taken.items():
        at = pid
        while at and at != root:
            at = parents.get(at, 0)
        total += ticks if at else 0
    return total


def one_agent() -> float:
    """Milliseconds from the start of an agent without work to its end."""
    root = missions.start(Project.objects.get(), User.objects.get(), "bench.worker", Level.WORKER)
    missions.wait_for([root])
    agent = AgentSession.objects.get(pk=root)
    return (agent.finished_at - agent.created_at).total_seconds() * 1000


@transaction.atomic
def one_claim() -> float:
    """Milliseconds that a worker's claim of the one queued agent takes. Nobody else sees either."""
    missions.start(Project.objects.get(), User.objects.get(), "bench.worker", Level.WORKER)
    began = time.perf_counter()
    leases.claim(Level.WORKER, holder="benchmark", lease=timedelta(seconds=30), max_running=MAX_RUNNING)
    took = (time.perf_counter() - began) * 1000
    transaction.set_rollback(True)
    return took


def table(found: tuple[Side, Side]) -> str:
    """Medians of both, and the ratio of the second to the first."""
    rows = []
    for what, read in (
        ("processor of all processes, a second, idle", lambda side: side.idle),
        ("an agent without work", lambda side: side.agents),
        ("a claim", lambda side: side.claims),
    ):
        without, beside = (statistics.median(read(side)) for side in found)
        rows.append((what, f"{without:.1f} ms", f"{beside:.1f} ms", f"{beside / without:.2f}"))
    return tables.table(f"{PARKED:,} agents that are parked", ("median", "none", f"{PARKED:,}", "ratio"), rows)
