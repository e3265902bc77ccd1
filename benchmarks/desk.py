"""Ten thousand requests that wait for people: how long the server takes for the desk, and what it needs for that."""

import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.test import Client

from agents.ids import new_id
from agents.lifecycle import Risk, SessionStatus, WaitKind
from agents.models import AgentRun, AgentSession, Approval, Project, SessionWait, User
from agents.policies.policy import Terms
from benchmarks import missions, tables

PENDING = 10_000
TOOLS = ("publish_report", "send_mail", "pay_invoice", "delete_branch", "book_travel")
ROUNDS = 40
BULK = 500
PRESSES = 8  # of each verdict
AGENT = "bench.brings"  # goes on, and ends
TEXT = "What was found, and what follows from it. " * 40  # of the arguments: pages are wide
SCHEMA = {"type": "object", "properties": {"content": {"type": "string"}, "name": {"type": "string"}}}


@dataclass(frozen=True)
class Taken:
    """Milliseconds of each request to the server, and the megabytes by which its process grew."""

    milliseconds: dict[str, list[float]]
    grown: float


def run(project: Project, user: User) -> Taken:
    """Pages of the desk, interleaved, and the decision about many at once."""
    _ask(project, user)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    pages = {
        "the list": "/approvals/",
        "one request of it": f"/approvals/{Approval.objects.order_by('-created_at').values_list('pk', flat=True)[0]}/",
        "by risk": "/approvals/?risk=high",
        "by tool": "/approvals/?tool=pay_invoice",
        "by agent and age": "/approvals/?agent=bench.brings&age=hour",
        "mine, due soon": "/approvals/?who=mine&due=soon",
    }
    for address in pages.values():
        _timed(client, address)()
    before = _peak()
    taken: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(ROUNDS):
        for name, address in pages.items():
            taken[name].append(_timed(client, address)())
    for verdict in ("reject", "approve") * PRESSES:
        picked = list(Approval.objects.filter(status="pending").values_list("pk", "version")[:BULK])
        form = {"pick": [f"{pk}:{version}" for pk, version in picked], "verdict": verdict, "reason": "Not now"}
        taken.setdefault(f"{BULK} at once: {verdict}", []).append(_timed(client, "/approvals/bulk/", form)())
        missions.wait_for(list(Approval.objects.filter(pk__in=dict(picked)).values_list("session_id", flat=True)))
    return Taken(taken, _peak() - before)


def _timed(client: Client, address: str, form: Mapping[str, Any] | None = None) -> Callable[[], float]:
    def ask() -> float:
        began = time.perf_counter()
        answer = client.get(address) if form is None else client.post(address, form)
        taken = (time.perf_counter() - began) * 1000
        if answer.status_code not in (200, 302):
            raise RuntimeError(f"{address} answered {answer.status_code}.")
        return taken

    return ask


def _peak() -> float:
    """The most memory that this process had so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _ask(project: Project, user: User) -> None:
    """Agents that wait for an approver, with their runs and requests, as rows."""
    agents = [missions.at_rest(project, user, SessionStatus.WAITING_APPROVAL, agent_type=AGENT) for _ in range(PENDING)]
    runs = [
        AgentRun(project=project, session=agent, number=1, command="start", input={"length": 10}) for agent in agents
    ]
    for agent, run in zip(agents, runs, strict=True):
        agent.current_run = run
    with transaction.atomic():
        missions.keep(agents)
        AgentRun.objects.bulk_create(runs, batch_size=1000)
    waits = SessionWait.objects.bulk_create([wait_of(agent) for agent in agents], batch_size=1000)
    asked = [request_of(wait, number) for number, wait in enumerate(waits)]
    Approval.objects.bulk_create(asked, batch_size=500)


def wait_of(session: AgentSession) -> SessionWait:
    """What an agent waits for that asks an approver."""
    return SessionWait(
        wait_id=new_id(),
        project_id=session.project_id,
        session=session,
        interrupt_id="asked",
        kind=WaitKind.APPROVAL,
        request={"key": "asked"},
        subject="an approver",
        reason="it asks",
    )


def request_of(wait: SessionWait, number: int) -> Approval:
    """One of many requests."""
    tool = TOOLS[number % len(TOOLS)]
    return Approval(
        project_id=wait.project_id,
        session_id=wait.session_id,
        wait=wait,
        kind=WaitKind.APPROVAL,
        title=tool.replace("_", " ").capitalize(),
        tool_name=tool,
        risk=list(Risk)[number % 3],
        intent="I want to do this.",
        proposed={"name": f"number {number}", "content": TEXT},
        schema=SCHEMA,
        allowed=["approve", "edit", "reject"],
        terms=Terms(undo=0).model_dump(mode="json"),
    )


def table(taken: Taken) -> str:
    """Medians, 95th percentiles and the slowest."""
    rows = [
        (name, f"{statistics.median(each):.0f} ms", f"{_p95(each):.0f} ms", f"{max(each):.0f} ms")
        for name, each in taken.milliseconds.items()
    ]
    return tables.table(
        f"The desk with {PENDING:,} requests that wait; the server grew by {taken.grown:.0f} MB meanwhile",
        ("", "median", "p95", "slowest"),
        rows,
    )


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
