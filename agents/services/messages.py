"""What agents say, and what their model calls took."""

from decimal import Decimal
from uuid import UUID

from django.db.models import Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.actor import agent
from agents.events import store
from agents.events.digests import text_digest
from agents.events.types import ModelCalled, SessionSaid
from agents.graphs.ports import Usage
from agents.ids import new_id
from agents.models import AgentMessage, AgentSession, KeptResult, ModelCall
from agents.words import MessageType

ROLES = {
    MessageType.HUMAN: "user",
    MessageType.AI: "assistant",
    MessageType.TOOL: "tool",
    MessageType.SYSTEM: "system",
}


def say(session: AgentSession, message_id: UUID, text: str, *, kind: MessageType = MessageType.AI) -> bool:
    """Add a message of a locked session, once; what an agent itself says becomes what it does now.

    `message_id` follows from the step that speaks. False if it was said before.
    """
    parent = session.messages.order_by("-created_at").values_list("pk", flat=True).first()
    message = AgentMessage(
        message_id=message_id,
        project_id=session.project_id,
        session=session,
        message_type=kind,
        role=ROLES[kind],
        content=text.replace("\0", ""),
        parent_message_id=parent,
    )
    if AgentMessage.objects.filter(pk=message_id).exists():
        return False
    AgentMessage.objects.bulk_create([message])
    if kind is MessageType.AI:
        AgentSession.objects.filter(pk=session.pk).update(activity=message.content, updated_at=timezone.now())
    store.record(SessionSaid(message_id=message_id, digest=text_digest(text)), session, actor=agent(session.pk))
    return True


def warn(session: AgentSession, text: str) -> None:
    """Say on behalf of a locked session what holds it up: a message, and what it does now until it goes on."""
    say(session, new_id(), text, kind=MessageType.SYSTEM)
    AgentSession.objects.filter(pk=session.pk).update(activity=text, updated_at=timezone.now())


def calm(session: AgentSession) -> None:
    """What held up a locked session is over: it does again what it last said."""
    said = session.messages.filter(message_type=MessageType.AI).order_by("-created_at").values("content")[:1]
    AgentSession.objects.filter(pk=session.pk).update(activity=Coalesce(Subquery(said), Value("")))


def charge(session: AgentSession, call_id: UUID, usage: Usage) -> None:
    """Keep what a model call of a session took."""
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
