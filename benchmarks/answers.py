"""From a person's answer or pause to what the agent does about it, and what Celery takes for less."""

import statistics
import time
from uuid import UUID

from celery import current_app

from agents.lifecycle import SessionStatus
from agents.models import AgentSession, AgentState, Approval, Project, User
from agents.roles import Level
from agents.services import decisions
from agents.services.conclusions import Decision
from benchmarks import missions, tables
from benchmarks.agents import NOTHING
from orchestrator.actions import agents
from orchestrator.realtime import feed

ANSWERS = 40
PAUSES = 20
STEP_SECONDS = 0.6
TASKS = 2000
SESSIONS = 500


def run(project: Project, user: User) -> dict[str, list[float]]:
    """Milliseconds from the commit of each answer to the next step's begin, and of pauses until they have effect."""
    missions.wait_for([missions.start(project, user, "bench.worker", Level.WORKER)])  # workers are warm from here on
    return {
        "an answer, until the next step begins": [one_answer(project, user) for _ in range(ANSWERS)],
        "a pause, from the end of the step that runs": [pause_at_work(project, user) for _ in range(PAUSES)],
        "a pause of an agent that waits": [pause_at_rest(project, user) for _ in range(PAUSES)],
    }


def one_answer(project: Project, user: User) -> float:
    """Milliseconds."""
    root = missions.start(project, user, "bench.asks", Level.WORKER)
    asked = _asked(root)
    decisions.decide(asked.pk, Decision(verdict="approve", arguments=asked.proposed), by=user, version=asked.version)
    decided = time.time()
    missions.wait_for([root])
    (output,) = missions.outputs([root])
    return float(output["went_on_at"] - decided) * 1000


def pause_at_work(project: Project, user: User) -> float:
    """Milliseconds from the checkpoint of the step in which a person pauses the agent until it is paused."""
    root = missions.start(project, user, "bench.waits", Level.WORKER, wait_seconds=STEP_SECONDS, steps=2)
    missions.wait_until(root, SessionStatus.RUNNING)
    time.sleep(STEP_SECONDS / 2)
    agents.pause(user, root, reason="", below=False)
    missions.wait_until(root, SessionStatus.PAUSED)
    step = AgentState.objects.filter(session_id=root, checkpoint_ns="").latest("created_at")
    paused_at = AgentSession.objects.get(pk=root).moved_at
    agents.cancel(user, root, reason="")
    return float((paused_at - step.created_at).total_seconds()) * 1000


def pause_at_rest(project: Project, user: User) -> float:
    """Milliseconds until the agent is paused, which is when the call returns."""
    root = missions.start(project, user, "bench.asks", Level.WORKER)
    missions.wait_until(root, SessionStatus.WAITING_APPROVAL)
    began = time.perf_counter()
    agents.pause(user, root, reason="", below=False)
    took = time.perf_counter() - began
    if AgentSession.objects.get(pk=root).status != SessionStatus.PAUSED:
        raise RuntimeError("it is not paused")
    agents.cancel(user, root, reason="")
    return took * 1000


def _asked(root: UUID) -> Approval:
    end = time.monotonic() + missions.PATIENCE
    while time.monotonic() < end:
        if (found := Approval.objects.filter(session_id=root).first()) is not None:
            return found
        time.sleep(0.005)
    raise RuntimeError("nothing was asked")


def table(taken: dict[str, list[float]]) -> str:
    """How often, median and 95th percentile."""
    rows = [
        (what, str(len(each)), f"{statistics.median(each):.0f} ms", f"{statistics.quantiles(each, n=20)[-1]:.0f} ms")
        for what, each in taken.items()
    ]
    return tables.table("What a person decides, and what follows", ("", "times", "median", "p95"), rows)


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
