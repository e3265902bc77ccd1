"""Requests between agents: asked when the asker has parked, answered once, or closed with the reason why not.

What a request comes to is decided under the lock of the agent that asked, so of an answer, a time-out and an end of
that agent exactly one counts. Whoever is to answer is woken after the request is there: one that waits is queued, one
that runs looks before it rests, one that has ended is answered for at once. The sweeper wakes whom a process forgot
that died in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.actor import SYSTEM, Actor, agent
from agents.errors import Fenced, InvalidInput
from agents.events import store
from agents.events.types import CommunicationClosed
from agents.graphs.colleagues import PassOn
from agents.ids import derived_id
from agents.lifecycle import FINAL, WAITING, SessionStatus, WaitKind
from agents.models import AgentCommunication, AgentSession, Approval, SessionWait
from agents.services import approvals, communications, deadlines, escalations, sessions, waits
from agents.services.communications import Direction, Message
from agents.services.escalations import PEOPLE
from agents.services.leases import Holding
from agents.words import CommunicationOutcome, CommunicationType

Outcome = CommunicationOutcome


@dataclass(frozen=True, slots=True)
class Decline:
    """There is no answer, and why."""

    why: str


def ask(session: AgentSession, question: waits.Question, message: Message, *, to: UUID, seconds: float) -> None:
    """Open a wait of a locked session for an answer and put the request, once.

    One that was withdrawn when the agent ended is put again when a retry comes back to its question. Raises
    TellingRefused, InvalidInput.
    """
    timeout = deadlines.span(seconds)
    towards = communications.direction_to(session, to)
    communications.check(session, message.kind, towards)
    wait, _ = waits.open_wait(session, question)
    before = list(wait.requests.order_by("created_at").values_list("outcome", flat=True))
    if wait.answered_at is not None or (before and Outcome.WITHDRAWN not in before) or Outcome.OPEN in before:
        return
    SessionWait.objects.filter(pk=wait.pk).update(due_at=deadlines.after(seconds))
    communications.send(
        session,
        derived_id(wait.pk, "request", len(before)),
        message,
        communications.group_of(session, towards),
        to,
        conversation=wait.pk,
        wait=wait,
        requires_response=True,
        response_timeout=timeout,
    )
    transaction.on_commit(partial(attend, to), robust=True)


def attend(session_id: UUID) -> None:
    """See to it that the open requests to an agent are answered: queue it if it waits, answer for it if it has ended.

    One that runs or is queued answers before it rests, one that is paused when it goes on.
    """
    with transaction.atomic():
        session = sessions.lock(session_id)
        if session.status in WAITING and waits.is_asked(session.pk):
            sessions.move(session, SessionStatus.QUEUED, actor=SYSTEM, cause="asked_by_agent")
    if session.status in FINAL:
        for request in open_to(session_id):
            _decline(request, Decline(f"it had ended: {session.status}"))


def attend_after_commit(session: AgentSession) -> None:
    """The same after the commit in which a locked session ends."""
    if waits.is_asked(session.pk):
        transaction.on_commit(partial(attend, session.pk), robust=True)


def unattended(limit: int = 200) -> list[UUID]:
    """Agents with open requests that wait or have ended: whoever was to see to it has died."""
    found = AgentCommunication.objects.filter(
        wait__isnull=False, processed_at__isnull=True, receiver_session__status__in=WAITING | FINAL
    )
    return list(found.values_list("receiver_session_id", flat=True).distinct()[:limit])


def open_to(session_id: UUID) -> list[AgentCommunication]:
    """The open requests to an agent, the most urgent first, then the oldest."""
    if not waits.is_asked(session_id):
        return []
    found = AgentCommunication.objects.filter(
        receiver_session=session_id, wait__isnull=False, processed_at__isnull=True
    )
    return list(found.select_related("sender_session", "wait__session").order_by("-priority", "created_at", "pk"))


@transaction.atomic
def answer(holding: Holding, request_id: UUID, given: Mapping[str, Any] | PassOn | Decline) -> bool:
    """Answer a request, once, for the attempt that runs the agent it went to. False when it was closed before.

    Raises Fenced when another attempt runs it, InvalidInput for an answer that cannot be handed on.
    """
    request = AgentCommunication.objects.select_related("wait", "coordination").get(pk=request_id)
    wait = _wait(request)
    held = sessions.lock_all([wait.session_id, holding.session_id])
    responder, asker = held[holding.session_id], held[wait.session_id]
    if responder.attempt != holding.attempt or responder.status != SessionStatus.RUNNING:
        raise Fenced
    if isinstance(given, PassOn):
        return _pass_on(request, asker, responder, given)
    if isinstance(given, Decline):
        return _close(request, asker, Outcome.DECLINED, actor=agent(responder.pk)) and waits.answer(
            asker, wait, _value(Outcome.DECLINED, responder.name, why=given.why)
        )
    if not _close(request, asker, Outcome.ANSWERED, actor=agent(responder.pk)):
        return False
    communications.send(
        responder,
        derived_id(request.pk, "reply"),
        Message(CommunicationType.REPLY, given, request.priority),
        request.coordination,
        asker.pk,
        conversation=wait.pk,
        answers=request.pk,
    )
    return waits.answer(asker, wait, _value(Outcome.ANSWERED, responder.name, content=dict(given)))


def _pass_on(request: AgentCommunication, asker: AgentSession, responder: AgentSession, given: PassOn) -> bool:
    """The level above is to answer, people above the queen; the asker waits on."""
    if not _close(request, asker, Outcome.PASSED_ON, actor=agent(responder.pk)):
        return False
    wait, above = _wait(request), responder.parent_id
    passed = [*request.message_content.get("passed_on", []), f"{responder.name}: {given.reason}"]
    kind = CommunicationType(request.message_type)
    communications.send(
        responder,
        derived_id(request.pk, "passed on"),
        Message(kind, {**request.message_content, "passed_on": passed}, request.priority),
        communications.group_of(responder, Direction.UP if above else Direction.DOWN),
        above,
        conversation=wait.pk,
        answers=request.pk,
        wait=wait,
        requires_response=True,
        response_timeout=request.response_timeout,
    )
    if above is None:
        escalations.put_to_people(asker, wait, request.message_content, passed)
    else:
        transaction.on_commit(partial(attend, above), robust=True)
    return True


@transaction.atomic
def _decline(request: AgentCommunication, given: Decline) -> bool:
    wait = _wait(request)
    asker = sessions.lock(wait.session_id)
    by = request.receiver_session.name if request.receiver_session else PEOPLE
    return _close(request, asker, Outcome.DECLINED, actor=SYSTEM) and waits.answer(
        asker, wait, _value(Outcome.DECLINED, by, why=given.why)
    )


def time_out(session: AgentSession, wait: SessionWait) -> bool:
    """The time for the answer that a locked session waits for has passed: tell it who was silent."""
    by = ""
    for request in _open_of(wait):
        by = request.receiver_session.name if request.receiver_session else PEOPLE
        _close(request, session, Outcome.TIMED_OUT, actor=SYSTEM)
    approvals.withdraw(session, "Nobody answered in time; the agent has gone on.", wait=wait)
    return waits.answer(session, wait, _value(Outcome.TIMED_OUT, by, why="it did not answer in time"))


def decided(approval: Approval, *, actor: Actor) -> None:
    """A person has answered what was passed on up to people. The caller's transaction decided it."""
    asker = sessions.lock(approval.session_id)
    for request in _open_of(approval.wait):
        _close(request, asker, Outcome.ANSWERED, actor=actor)


def withdraw(session: AgentSession, closed: list[SessionWait]) -> None:
    """A locked session does not wait for these any more: take its requests back."""
    for wait in closed:
        for request in _open_of(wait) if wait.kind == WaitKind.REPLY else ():
            _close(request, session, Outcome.WITHDRAWN, actor=SYSTEM)


def _open_of(wait: SessionWait) -> list[AgentCommunication]:
    return list(wait.requests.filter(processed_at__isnull=True).select_related("receiver_session", "wait"))


def _close(request: AgentCommunication, asker: AgentSession, outcome: Outcome, *, actor: Actor) -> bool:
    """Close an open request of a locked asker; False when it was closed before."""
    closed = AgentCommunication.objects.filter(pk=request.pk, processed_at__isnull=True).update(
        processed_at=timezone.now(), outcome=outcome
    )
    if not closed:
        return False
    event = CommunicationClosed(communication_id=request.pk, session_id=asker.pk, outcome=outcome)
    store.record(event, asker, actor=actor, aggregate_id=request.wait_id)
    return True


def _value(outcome: Outcome, by: str, *, content: Mapping[str, Any] | None = None, why: str = "") -> dict[str, Any]:
    return {"outcome": outcome, "by": by, "content": content, "missing": f"{by}: {why}" if why else ""}


def _wait(request: AgentCommunication) -> SessionWait:
    if request.wait is None:
        raise InvalidInput("This is no request.")
    return request.wait
