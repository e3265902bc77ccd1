"""Requests for the tests of the approval desk."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from agents.actor import Actor
from agents.interrupts import Form
from agents.lifecycle import Risk, SessionStatus, WaitKind
from agents.models import AgentSession, Approval
from agents.policies.policy import Terms
from agents.services import approvals, sessions, waits
from agents.services.approvals import Request
from tests.factories import make_mission, running

PROPOSED = {"file_name": "a.md", "content": "text"}


def asked(**changes: Any) -> Request:
    """One request; by default of medium risk, for one approver."""
    usual: dict[str, Any] = {
        "kind": WaitKind.APPROVAL,
        "title": "Publish",
        "tool_name": "publish_report",
        "risk": Risk.MEDIUM,
        "intent": "I want to",
        "proposed": PROPOSED,
        "allowed": ("approve", "edit", "reject"),
        "terms": Terms(),
    }
    return Request(**{**usual, **changes})


def put(
    session: AgentSession, *requests: Request, interrupt: str = "i1", kind: str = WaitKind.APPROVAL
) -> list[Approval]:
    """Put these before people, as settling does."""
    question = waits.Question(interrupt, WaitKind(kind), f"approval:{interrupt}", {}, "an approver", "risky")
    with transaction.atomic():
        locked = sessions.lock(session.pk)
        made = approvals.request(locked, question, *requests)
        if locked.status == SessionStatus.RUNNING:
            sessions.move(locked, waits.resting_status(locked), actor=Actor("system"))
    for approval in made:
        approval.refresh_from_db()
    return made


def request(**changes: Any) -> Approval:
    """A request of a mission of its own."""
    return put(running(make_mission()), asked(**changes))[0]


def batch(*places: dict[str, Any]) -> list[Approval]:
    """Several requests of one interrupt, in LangChain's batched form."""
    each = [
        asked(kind=WaitKind.FOREIGN, form=Form.BATCH, place=place, **changes) for place, changes in enumerate(places)
    ]
    return put(running(make_mission()), *each, kind=WaitKind.FOREIGN)


def pass_time(approval: Approval, seconds: float) -> None:
    """Let that much time pass for a request: all that it remembers is so much earlier."""
    earlier = timedelta(seconds=seconds)
    names = ("created_at", "deadline_at", "next_step_at", "decided_at", "effective_at")
    Approval.objects.filter(pk=approval.pk).update(**{name: F(name) - earlier for name in names})
    approval.refresh_from_db()
