"""Ten thousand agents that wait for somebody: what they cost the processor, and the agents that work."""

import statistics
import time
from pathlib import Path
from typing import Any

from agents.ids import new_id
from agents.lifecycle import SessionStatus, WaitKind
from agents.models import AgentSession, Project, SessionWait, User
from agents.roles import Level
from benchmarks import missions, tables
from tests.stack import Stack

PARKED = 10_000
CHILDREN = 100  # of each that waits for them
SETTLE_SECONDS = 60  # the rows are new: PostgreSQL counts them first
LOOK_SECONDS = 60.0
MISSIONS = 30
TICK = 100  # a second, of /proc


def run(stack: Stack, project: Project, user: User) -> list[tuple[str, float, float]]:
    """Before and with them: the stack's processor time when idle in ms a second, and the ms that an agent takes."""
    missions.wait_for([missions.start(project, user, "bench.worker", Level.WORKER)])
    before = ("none", idle_cpu(stack), one_agent(project, user))
    park(project, user)
    time.sleep(SETTLE_SECONDS)
    return [before, (f"{PARKED:,}", idle_cpu(stack), one_agent(project, user))]


def park(project: Project, user: User) -> None:
    """Agents that wait for an approver, and those above who wait for them, as rows: that is all they are meanwhile."""
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
        root = missions.start(project, user, "bench.worker", Level.WORKER)
        missions.wait_for([root])
        agent = AgentSession.objects.get(pk=root)
        taken.append((agent.finished_at - agent.created_at).total_seconds() * 1000)
    return statistics.median(taken)


def table(found: list[tuple[str, float, float]]) -> str:
    """Both, and the ratio of the second."""
    alone = found[0][2]
    rows = [(who, f"{cpu:.1f} ms", f"{agent:.0f} ms", f"{agent / alone:.2f}") for who, cpu, agent in found]
    return tables.table(
        "Agents that are parked", ("parked", "processor, a second", "an agent without work", "ratio"), rows
    )
