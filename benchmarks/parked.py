"""Ten thousand agents that wait for somebody: what they cost the processor, and the agents that work."""

import statistics
import time
from pathlib import Path
from uuid import UUID

from agents.ids import new_id
from agents.lifecycle import SessionStatus, WaitKind
from agents.models import AgentSession, Project, SessionWait, User, ValueSpace
from agents.roles import Level
from benchmarks import missions, tables
from tests.stack import Stack

PARKED = 10_000
LOOK_SECONDS = 20.0
MISSIONS = 30
TICK = 100  # a second, of /proc


def run(stack: Stack, project: Project, user: User) -> list[tuple[str, float, float]]:
    """Before and with them: the stack's processor time when idle in ms a second, and the ms that an agent takes."""
    missions.wait_for([missions.start(project, user, "bench.worker", Level.WORKER)])
    before = ("none", idle_cpu(stack), one_agent(project, user))
    park(project, user)
    return [before, (f"{PARKED:,}", idle_cpu(stack), one_agent(project, user))]


def park(project: Project, user: User) -> None:
    """Agents that wait for an approver, as rows: no agent is more than that while it waits."""
    ids: list[UUID] = [new_id() for _ in range(PARKED)]
    ValueSpace.objects.bulk_create([ValueSpace(pk=one) for one in ids], batch_size=1000)
    AgentSession.objects.bulk_create(
        [
            AgentSession(
                pk=one,
                project=project,
                user=user,
                agent_type="bench.asks",
                level=Level.WORKER,
                name="parked",
                status=SessionStatus.WAITING_APPROVAL,
                root_id=one,
                space_id=one,
            )
            for one in ids
        ],
        batch_size=1000,
    )
    SessionWait.objects.bulk_create(
        [
            SessionWait(
                wait_id=new_id(),
                project=project,
                session_id=one,
                interrupt_id="asked",
                kind=WaitKind.APPROVAL,
                request={"key": "asked"},
                subject="an approver",
                reason="it is parked",
            )
            for one in ids
        ],
        batch_size=1000,
    )


def idle_cpu(stack: Stack) -> float:
    """Milliseconds a second of all processes of the stack while nothing is to be done."""
    time.sleep(5)  # what was begun is over
    before = _ticks(stack.process.pid)
    time.sleep(LOOK_SECONDS)
    return (_ticks(stack.process.pid) - before) * 1000 / TICK / LOOK_SECONDS


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


def one_agent(project: Project, user: User) -> float:
    """Milliseconds from the start of an agent without work to its end, the median of some one after the other."""
    taken: list[float] = []
    for _ in range(MISSIONS):
        began = time.perf_counter()
        missions.wait_for([missions.start(project, user, "bench.worker", Level.WORKER)])
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def table(found: list[tuple[str, float, float]]) -> str:
    """Both, and the ratio of the second."""
    alone = found[0][2]
    rows = [(who, f"{cpu:.1f} ms", f"{agent:.0f} ms", f"{agent / alone:.2f}") for who, cpu, agent in found]
    return tables.table(
        "Agents that are parked", ("parked", "processor, a second", "an agent without work", "ratio"), rows
    )
