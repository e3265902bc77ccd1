"""Waits that end with time: timers that fire, and waits for something else that run out. Each once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from agents.lifecycle import WaitKind
from agents.models import AgentSession, SessionWait
from agents.services import deadlines, requests, sessions, waits

TIMED_OUT = "timed_out"


def sleep(session: AgentSession, question: waits.Question, *, seconds: float | None, until: datetime | None) -> None:
    """Open a timer of a locked session, once: `seconds` from now by the database's clock, or at a time."""
    waits.open_wait(session, question, due_at=until or deadlines.after(seconds or 0))


def due(limit: int = 500) -> list[UUID]:
    """The waits whose time has come."""
    found = SessionWait.objects.filter(answered_at__isnull=True, due_at__lte=Now()).order_by("due_at")
    return list(found.values_list("pk", flat=True)[:limit])


@transaction.atomic
def fire(wait_id: UUID) -> bool:
    """Answer a wait whose time has come, once, and queue its agent. False when it was answered meanwhile."""
    session = sessions.lock(SessionWait.objects.values_list("session_id", flat=True).get(pk=wait_id))
    wait = SessionWait.objects.filter(pk=wait_id, due_at__lte=Now(), answered_at__isnull=True).first()
    if wait is not None and wait.kind == WaitKind.REPLY:
        return requests.time_out(session, wait)
    return wait is not None and waits.answer(session, wait, _value(wait))


def _value(wait: SessionWait) -> Any:
    due_at = wait.due_at.isoformat() if wait.due_at else ""
    return {"at": due_at} if wait.kind == WaitKind.TIMER else {TIMED_OUT: True, "at": due_at}
