"""What agents say, and what their model calls took."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, Func, Min, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.actor import Actor, agent
from agents.events import store
from agents.events.digests import text_digest
from agents.events.types import ModelCalled, SessionSaid
from agents.graphs.ports import Usage
from agents.ids import new_id
from agents.models import AgentMessage, AgentSession, AgentState, KeptResult, ModelCall
from agents.services import spending
from agents.storable import storable_text
from agents.words import MessageType

ROLES = {
    MessageType.HUMAN: "user",
    MessageType.AI: "assistant",
    MessageType.TOOL: "tool",
    MessageType.SYSTEM: "system",
}


class ClockTimestamp(Func):
    """What the database's clock shows now, not when the transaction began."""

    function = "clock_timestamp"
    output_field = DateTimeField()


def say(
    session: AgentSession,
    message_id: UUID,
    text: str,
    *,
    kind: MessageType = MessageType.AI,
    actor: Actor | None = None,
    metadata: dict[str, Any] | None = None,
) -> bool:
    """Add a message of a locked session, once; what an agent itself says becomes what it does now.

    `message_id` follows from the step that speaks. `actor` is who says it, the agent if nobody is named. False if it
    was said before.
    """
    text = storable_text(text)
    parent = session.messages.order_by("-created_at").values_list("pk", flat=True).first()
    message = AgentMessage(
        message_id=message_id,
        project_id=session.project_id,
        session=session,
        message_type=kind,
        role=ROLES[kind],
        content=text,
        metadata=metadata or {},
        parent_message_id=parent,
        created_at=ClockTimestamp(),  # under the lock: later than every state that was saved before
    )
    if AgentMessage.objects.filter(pk=message_id).exists():
        return False
    AgentMessage.objects.bulk_create([message])
    if kind is MessageType.AI:
        AgentSession.objects.filter(pk=session.pk).update(activity=message.content, updated_at=timezone.now())
    event = SessionSaid(message_id=message_id, digest=text_digest(text))
    store.record(event, session, actor=actor or agent(session.pk))
    return True


def warn(session: AgentSession, text: str) -> None:
    """Say on behalf of a locked session what holds it up: a message, and what it does now until it goes on."""
    say(session, new_id(), text, kind=MessageType.SYSTEM)
    AgentSession.objects.filter(pk=session.pk).update(activity=text, updated_at=timezone.now())


def calm(session: AgentSession) -> None:
    """What held up a locked session is over: it does again what it last said."""
    said = session.messages.filter(message_type=MessageType.AI).order_by("-created_at").values("content")[:1]
    AgentSession.objects.filter(pk=session.pk).update(activity=Coalesce(Subquery(said), Value("")))


def read(session: AgentSession, checkpoint_id: UUID) -> list[str]:
    """What people told a locked session and no earlier step has read, oldest first.

    For the steps that work on this state: each of them, and each of them again when it is redone, gets the same.
    What came after the state was saved is for the next step.
    """
    at = saved_at(session, checkpoint_id)
    if at is None:  # nothing was saved, so nothing can be read of which a redone step would know
        return []
    told = session.messages.filter(message_type=MessageType.HUMAN, created_at__lte=at)
    told.filter(read_at__isnull=True).update(read_at=at)
    return list(told.filter(read_at=at).order_by("created_at").values_list("content", flat=True))


def saved_at(session: AgentSession, checkpoint_id: UUID) -> datetime | None:
    """When a state of a session was saved; None when it was not."""
    saved = AgentState.objects.filter(session=session, checkpoint_id=checkpoint_id).aggregate(at=Min("created_at"))
    at: datetime | None = saved["at"]
    return at


def is_told(session_id: UUID) -> bool:
    """Has anybody ever told this session anything?"""
    return AgentMessage.objects.filter(session_id=session_id, message_type=MessageType.HUMAN).exists()


def unread_since(session: AgentSession, at: datetime) -> None:
    """A locked session goes back to a state of that time: what it read later it reads again."""
    session.messages.filter(message_type=MessageType.HUMAN, read_at__gt=at).update(read_at=None)


def charge(session: AgentSession, call_id: UUID, usage: Usage) -> None:
    """Keep what a model call of a session took."""
    spending.count(session.pk, tokens=usage.input_tokens + usage.output_tokens, cost=Decimal(usage.cost))
    ModelCall.objects.create(
        call_id=call_id,
        project_id=session.project_id,
        session=session,
        model=usage.model,
        purpose=usage.purpose,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost=Decimal(usage.cost),
        tries=usage.tries,
        tasks=usage.tasks,
        saved_tokens=usage.saved_tokens,
        saved_cost=Decimal(usage.saved_cost),
        duration_ms=usage.duration_ms,
    )
    store.record(
        ModelCalled(
            call_id=call_id,
            model=usage.model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=usage.cost,
        ),
        session,
        actor=agent(session.pk),
    )


def charge_reused(session: AgentSession, purpose: str, kept: KeptResult) -> None:
    """A kept reply answered a locked session's question: a call that took nothing, and what it saved."""
    call_id = new_id()
    ModelCall.objects.create(
        call_id=call_id,
        project_id=session.project_id,
        session=session,
        model=kept.name,
        purpose=purpose,
        tries=0,
        duration_ms=0,
        is_reused=True,
        answered_from=ModelCall.objects.filter(pk=kept.origin_id).first(),
        saved_tokens=kept.tokens,
        saved_cost=kept.cost,
    )
    called = ModelCalled(call_id=call_id, model=kept.name, input_tokens=0, output_tokens=0, cost="0")
    store.record(called, session, actor=agent(session.pk))
