"""Signals by name: sent once, kept until somebody waits for them, delivered once.

Whoever commits last sees the other: a sender looks for waits after its signal is there, and an agent that has parked
looks for signals after its wait is there. The sweeper looks for both, where a process died in between.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from agents.actor import Actor, agent
from agents.errors import InvalidInput
from agents.events import store
from agents.events.digests import canonical, digest
from agents.events.types import SignalSent, SignalTaken
from agents.ids import derived_id
from agents.lifecycle import WaitKind
from agents.models import AgentSession, SessionWait, Signal, SignalDelivery
from agents.services import deadlines, sessions, waits

MOST_CHARACTERS = 200  # of a name
MOST_BYTES = 64 * 1024  # of a payload

# The oldest signal of a name that this session may have; one that another takes at the moment is passed over.
_TAKE = """
SELECT s.signal_id FROM signals s
WHERE s.mission_id = %(mission)s AND s.name = %(name)s AND s.taken_at IS NULL
  AND NOT EXISTS (SELECT FROM signal_deliveries d WHERE d.signal_id = s.signal_id AND d.session_id = %(session)s)
ORDER BY s.created_at, s.signal_id
LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"""


def send(
    mission: AgentSession, signal_id: UUID, name: str, payload: Any, *, everyone: bool, actor: Actor
) -> Signal | None:
    """Send a signal to a mission, and wake who waits for it; None if `signal_id` was sent before.

    Raises InvalidInput for a name or a payload that cannot be taken.
    """
    if not name.strip() or len(name) > MOST_CHARACTERS or "\0" in name:
        raise InvalidInput(fields={"name": f"A signal has a name of 1 to {MOST_CHARACTERS} characters."})
    if len(canonical(payload)) > MOST_BYTES:
        raise InvalidInput(fields={"payload": f"A signal carries {MOST_BYTES // 1024} KB at most."})
    with transaction.atomic():
        signal, is_new = Signal.objects.get_or_create(
            signal_id=signal_id,
            defaults={
                "project_id": mission.project_id,
                "mission_id": mission.pk,
                "name": name,
                "payload": payload,
                "everyone": everyone,
                "sender": str(actor),
            },
        )
        if not is_new:
            return None
        event = SignalSent(session_id=mission.pk, name=name, everyone=everyone, digest=digest(payload))
        store.record(event, mission, actor=actor, aggregate_id=signal_id)
        transaction.on_commit(lambda: deliver(_waiting(mission.pk, name)), robust=True)
    return signal


def wait_for(session: AgentSession, question: waits.Question, *, name: str, seconds: float | None) -> None:
    """Open a wait of a locked session for a signal, once; `seconds` is how long it waits at most."""
    due_at = None if seconds is None else deadlines.after(seconds)
    waits.open_wait(session, question, signal=name, due_at=due_at)
    transaction.on_commit(lambda: deliver([session.pk]), robust=True)


def _waiting(mission_id: UUID, name: str) -> list[UUID]:
    """Who of a mission waits for a signal, who has waited longest first."""
    open_waits = SessionWait.objects.filter(
        session__root_id=mission_id, signal=name, kind=WaitKind.EVENT, answered_at__isnull=True
    )
    return list(open_waits.order_by("created_at").values_list("session_id", flat=True))


def undelivered(limit: int = 200) -> list[UUID]:
    """Who waits for a signal that is there."""
    kept = Signal.objects.filter(
        ~Q(deliveries__session_id=OuterRef("session_id")),
        mission_id=OuterRef("session__root_id"),
        name=OuterRef("signal"),
        taken_at__isnull=True,
    )
    found = SessionWait.objects.filter(~Q(signal=""), Exists(kept), kind=WaitKind.EVENT, answered_at__isnull=True)
    return list(found.order_by("created_at").values_list("session_id", flat=True)[:limit])


def deliver(session_ids: Iterable[UUID]) -> int:
    """Give these agents the signals that they wait for and that are there, a transaction an agent; how many."""
    return sum(_deliver(session_id) for session_id in session_ids)


@transaction.atomic
def _deliver(session_id: UUID) -> int:
    session = sessions.lock(session_id)
    open_waits = session.waits.filter(kind=WaitKind.EVENT, answered_at__isnull=True).order_by("created_at")
    return sum(_answer(session, wait) for wait in open_waits)


def _answer(session: AgentSession, wait: SessionWait) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"mission": session.root_id, "name": wait.signal, "session": session.pk})
        row = cursor.fetchone()
    if row is None:
        return False
    signal = Signal.objects.get(pk=row[0])
    if not signal.everyone:
        Signal.objects.filter(pk=signal.pk).update(taken_at=timezone.now())
    delivery_id = derived_id(signal.pk, session.pk)
    SignalDelivery.objects.create(delivery_id=delivery_id, signal=signal, session=session, wait=wait)
    store.record(SignalTaken(signal_id=signal.pk, name=signal.name), session, actor=agent(session.pk))
    return waits.answer(session, wait, {"signal_id": str(signal.pk), "payload": signal.payload})
