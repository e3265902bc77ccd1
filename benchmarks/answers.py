"""From a person's answer to the agent's next step, and what Celery and the database take for less."""

import statistics
import time
from uuid import UUID

from celery import current_app

from agents.models import Approval, Project, User
from agents.roles import Level
from agents.services import approvals
from agents.services.approvals import Decision
from benchmarks import missions, tables
from benchmarks.agents import NOTHING
from orchestrator.realtime import feed

ANSWERS = 40
TASKS = 2000
SESSIONS = 500


def run(project: Project, user: User) -> dict[str, list[float]]:
    """Milliseconds from the commit of each answer to the next step's begin."""
    missions.wait_for([missions.start(project, user, "bench.worker", Level.WORKER)])  # workers are warm from here on
    return {"answer to next step": [one_answer(project, user) for _ in range(ANSWERS)]}


def one_answer(project: Project, user: User) -> float:
    """Milliseconds."""
    root = missions.start(project, user, "bench.asks", Level.WORKER)
    asked = _asked(root)
    approvals.decide(asked.pk, Decision(verdict="approve", arguments=asked.proposed), by=user, version=asked.version)
    decided = time.time()
    missions.wait_for([root])
    (output,) = missions.outputs([root])
    return float(output["went_on_at"] - decided) * 1000


def _asked(root: UUID) -> Approval:
    end = time.monotonic() + missions.PATIENCE
    while time.monotonic() < end:
        if (found := Approval.objects.filter(session_id=root).first()) is not None:
            return found
        time.sleep(0.005)
    raise RuntimeError("nothing was asked")


def table(taken: dict[str, list[float]]) -> str:
    """Median and 95th percentile."""
    rows = [
        (what, f"{statistics.median(each):.0f} ms", f"{statistics.quantiles(each, n=20)[-1]:.0f} ms")
        for what, each in taken.items()
    ]
    return tables.table(f"An answer and what follows it, {ANSWERS} times", ("", "median", "p95"), rows)


def rates(project: Project, user: User) -> dict[str, float]:
    """How many tasks that do nothing Celery runs a second, and how many agents that do nothing we run."""
    return {"Celery's own task": tasks_a_second(), "an agent": agents_a_second(project, user)}


def tasks_a_second() -> float:
    """Sent and run by the workers' queue."""
    counter = feed.connection()
    counter.delete(NOTHING)
    began = time.perf_counter()
    for _ in range(TASKS):
        current_app.send_task(NOTHING, queue=Level.WORKER, retry=False)
    while int(str(counter.get(NOTHING) or 0)) < TASKS:
        time.sleep(0.01)
    return TASKS / (time.perf_counter() - began)


def agents_a_second(project: Project, user: User) -> float:
    """Started, claimed, run, saved and settled, below one coordinator."""
    began = time.perf_counter()
    missions.wait_for([missions.start(project, user, "bench.specialist", Level.SPECIALIST, below=[SESSIONS])])
    return SESSIONS / (time.perf_counter() - began)


def rates_table(found: dict[str, float]) -> str:
    """Each a second, and how many of Celery's tasks one agent costs."""
    bare = found["Celery's own task"]
    rows = [(what, f"{rate:.0f}", f"{bare / rate:.1f}") for what, rate in found.items()]
    return tables.table("What runs in a second", ("", "a second", "Celery's tasks for one"), rows)
