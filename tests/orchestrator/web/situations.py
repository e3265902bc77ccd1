"""Situations that pages show, made through the services that make them in earnest."""

from typing import Any
from uuid import uuid4

from django.db import transaction

from agents.actor import SYSTEM, agent
from agents.lifecycle import ChildrenNeeded, Policy, Risk, SessionStatus, WaitKind
from agents.models import AgentSession, Approval
from agents.policies.policy import Terms
from agents.roles import Level
from agents.services import approvals, endings, ledger, messages, sessions, signals, waits
from agents.services.endings import Ending
from agents.services.sessions import Start
from agents.services.waits import Question
from orchestrator.tools.outbox import PUBLISH_REPORT

REPORT = {"file_name": "report.md", "title": "A report", "content": "What was found.\n\nIn two lines."}


@transaction.atomic
def run(session: AgentSession) -> AgentSession:
    """A worker takes it up."""
    locked = sessions.lock(session.pk)
    sessions.move(locked, SessionStatus.RUNNING, actor=SYSTEM)
    return locked


@transaction.atomic
def ask(
    session: AgentSession,
    *,
    proposed: dict[str, Any] | None = None,
    risk: Risk = Risk.MEDIUM,
    schema: dict[str, Any] | None = None,
    kind: WaitKind = WaitKind.APPROVAL,
) -> Approval:
    """The agent wants to publish and waits for a person."""
    locked = sessions.lock(session.pk)
    if locked.status == SessionStatus.QUEUED:
        sessions.move(locked, SessionStatus.RUNNING, actor=SYSTEM)
    arguments = REPORT if proposed is None else proposed
    call = ledger.Call(uuid4().hex, "publish_report", "1", risk, Policy.ASK, arguments, "I want to publish.")
    row = ledger.open_call(locked, call)
    question = Question(uuid4().hex, kind, "publish", {}, "an approver", f"publish_report is {risk} risk")
    (approval,) = approvals.request(
        locked,
        question,
        approvals.Request(
            kind=kind,
            title="Publish a report",
            tool_name="publish_report",
            risk=risk,
            intent="I want to publish.",
            proposed=arguments,
            allowed=("again", "done", "stop") if kind is WaitKind.UNCERTAIN else ("approve", "edit", "reject"),
            execution_id=row.pk,
            schema=PUBLISH_REPORT.schema() if schema is None else schema,
            effects=({"weight": "warning", "text": "Writes one file"},),
            terms=Terms(),
        ),
    )
    if locked.status == SessionStatus.RUNNING:
        sessions.move(locked, SessionStatus.WAITING_APPROVAL, actor=agent(locked.pk))
    return approval


@transaction.atomic
def delegate(session: AgentSession, level: Level, *names: str) -> list[AgentSession]:
    """The agent starts children and waits for them."""
    locked = sessions.lock(session.pk)
    if locked.status == SessionStatus.QUEUED:
        sessions.move(locked, SessionStatus.RUNNING, actor=SYSTEM)
    question = Question(uuid4().hex, WaitKind.CHILDREN, "work", {}, ", ".join(names), "the answer needs them")
    starts = [Start(agent_type=f"test.{level}", level=level, name=name, goal=f"Do {name}", input={}) for name in names]
    waits.delegate(locked, question, starts, needs=ChildrenNeeded.ALL, needed=0)
    sessions.move(sessions.lock(session.pk), SessionStatus.WAITING_CHILDREN, actor=agent(locked.pk))
    wait = locked.waits.get(interrupt_id=question.interrupt_id)
    return list(wait.children.order_by("position"))


@transaction.atomic
def wait_for_signal(session: AgentSession, name: str) -> AgentSession:
    """The agent waits for a signal."""
    session = run(session)
    question = Question("asked", WaitKind.EVENT, "go", {}, f"the signal {name}", "")
    signals.wait_for(session, question, name=name, seconds=None)
    sessions.move(session, SessionStatus.WAITING_EVENT, actor=SYSTEM)
    return session


@transaction.atomic
def end(session: AgentSession, status: SessionStatus = SessionStatus.SUCCEEDED, **ending: Any) -> None:
    """The agent ends."""
    endings.finish(sessions.lock(session.pk), Ending(status, **ending))


@transaction.atomic
def say(session: AgentSession, text: str) -> None:
    """The agent says something."""
    messages.say(sessions.lock(session.pk), uuid4(), text)
