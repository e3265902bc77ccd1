"""What agents tell each other: who may say what to whom; said once, and read once a step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from agents.actor import agent
from agents.errors import InvalidInput, TellingRefused
from agents.events import store
from agents.events.digests import canonical, json_digest
from agents.events.types import CommunicationSent
from agents.ids import derived_id
from agents.models import (
    AgentCommunication,
    AgentCoordination,
    AgentSession,
    CommunicationReading,
)
from agents.roles import Level
from agents.services import coordination, messages
from agents.storable import is_storable
from agents.words import CommunicationType

MOST_BYTES = 64 * 1024  # of a content
_K = CommunicationType
_OF_DELEGATION = frozenset({_K.TASK_ASSIGNMENT, _K.RESULT, _K.ERROR, _K.REPLY})


class Direction(StrEnum):
    """Where something said goes in the hierarchy. Peers have the same level and the same agent above."""

    UP = "the level above"
    DOWN = "the level below"
    PEERS = "its peers"


_UP, _DOWN, _PEERS = (frozenset({one}) for one in Direction)

# What is not here goes with delegations and requests, and is said by nobody in words of its own.
MAY_TELL: Mapping[Level, Mapping[CommunicationType, frozenset[Direction]]] = {
    Level.QUEEN: {
        _K.STATUS_UPDATE: _DOWN,
        _K.STRATEGIC_DECISION: _DOWN,
        _K.QUALITY_GATE: _DOWN,
        _K.PERFORMANCE: _DOWN,
    },
    Level.ARCHITECT: {
        _K.STATUS_UPDATE: _UP | _DOWN,
        _K.PERFORMANCE: _UP,
        _K.PEER_MESSAGE: _PEERS,
        _K.DESIGN_CONSISTENCY: _PEERS,
        _K.RESOURCE_SHARING: _PEERS,
        _K.ESCALATION: _UP,
    },
    Level.SPECIALIST: {
        _K.STATUS_UPDATE: _UP | _DOWN,
        _K.PERFORMANCE: _UP,
        _K.KNOWLEDGE_SHARING: _PEERS | _DOWN,
        _K.VALIDATION: _PEERS,
        _K.SYNTHESIS: _UP | _PEERS,
        _K.RESOURCE_REALLOCATION: _DOWN | _PEERS,
        _K.ESCALATION: _UP,
    },
    Level.WORKER: {
        _K.STATUS_UPDATE: _UP,
        _K.PERFORMANCE: _UP,
        _K.BATCH: _UP | _PEERS,
        _K.ESCALATION: _UP,
    },
}


@dataclass(frozen=True, slots=True)
class Message:
    """What is said. Who is to answer takes messages of a higher priority first."""

    kind: CommunicationType
    content: Mapping[str, Any]
    priority: int = 0


def check(sender: AgentSession, kind: CommunicationType, direction: Direction) -> None:
    """Raise TellingRefused unless the sender's level may say this there."""
    level, what = Level(sender.level), kind.replace("_", " ")
    if direction not in MAY_TELL[level].get(kind, frozenset()):
        who = level.with_article.capitalize()
        raise TellingRefused(f"{who} has no “{what}” for {direction}.", kind=kind, direction=direction)


def direction_to(sender: AgentSession, receiver_id: UUID) -> Direction:
    """Where `receiver_id` stands, seen from the sender. Raises TellingRefused when the two do not work together."""
    if receiver_id == sender.parent_id:
        return Direction.UP
    receiver = AgentSession.objects.filter(pk=receiver_id).first()
    if receiver is not None and receiver.parent_id == sender.pk:
        return Direction.DOWN
    if receiver is None or receiver.parent_id is None or receiver.pk == sender.pk:
        raise TellingRefused("Agents talk with those above, below and beside them.")
    if (receiver.parent_id, receiver.level) != (sender.parent_id, sender.level):
        raise TellingRefused(f"{sender.name} and {receiver.name} do not work together.")
    return Direction.PEERS


def tell(
    sender: AgentSession, message_id: UUID, message: Message, *, to: UUID | None = None, below: bool = False
) -> bool:
    """Say something, once, for a locked session; to one agent, or to all its peers, or all `below`.

    False if `message_id` was said before. Raises TellingRefused, InvalidInput.
    """
    towards = direction_to(sender, to) if to else Direction.DOWN if below else Direction.PEERS
    check(sender, message.kind, towards)
    if AgentCommunication.objects.filter(pk=message_id).exists():
        return False
    send(sender, message_id, message, group_of(sender, towards), to, conversation=message_id)
    return True


def group_of(sender: AgentSession, towards: Direction) -> AgentCoordination:
    """The group in which something is said: the sender's own, or that of the agent above. Raises TellingRefused."""
    if towards is Direction.DOWN:
        return coordination.group_of(sender)
    group = AgentCoordination.objects.filter(coordinator_session=sender.parent_id).first()
    if group is None:
        raise TellingRefused(f"{sender.name} works alone.")
    return group


def send(
    sender: AgentSession,
    communication_id: UUID,
    message: Message,
    group: AgentCoordination,
    to: UUID | None,
    *,
    conversation: UUID,
    answers: UUID | None = None,
    **request: Any,
) -> AgentCommunication:
    """Add what a session says, and its event in the chain of its `conversation`. Raises InvalidInput.

    `request` holds further columns, of a request or a reply.
    """
    content = dict(message.content)
    check_content(content)
    sent = AgentCommunication(
        communication_id=communication_id,
        project_id=sender.project_id,
        coordination=group,
        sender_session=sender,
        receiver_session_id=to,
        message_type=message.kind,
        message_content=content,
        priority=message.priority,
        parent_communication_id=answers,
        **request,
    )
    AgentCommunication.objects.bulk_create([sent])
    event = CommunicationSent(
        communication_id=communication_id,
        session_id=sender.pk,
        receiver_id=to,
        kind=message.kind,
        digest=json_digest(content),
        is_request=sent.wait_id is not None,
        answers=answers,
        coordination_id=group.pk,
        priority=message.priority,
        timeout=None if sent.response_timeout is None else sent.response_timeout // timedelta(microseconds=1),
    )
    store.record(event, sender, actor=agent(sender.pk), aggregate_id=conversation)
    return sent


def check_content(content: Any) -> None:
    """Raise InvalidInput unless agents may hand this to each other."""
    try:
        text = canonical(content)
    except TypeError as error:
        raise InvalidInput(fields={"content": f"What agents tell each other is JSON: {error}."}) from None
    if not isinstance(content, dict):
        raise InvalidInput(fields={"content": "What agents tell each other has named parts."})
    if len(text) > MOST_BYTES:
        raise InvalidInput(fields={"content": f"Agents tell each other {MOST_BYTES // 1024} KB at most."})
    if not is_storable(content):
        raise InvalidInput(fields={"content": "It has a character that cannot be stored."})


def read(session: AgentSession, checkpoint_id: UUID) -> list[AgentCommunication]:
    """What was told to a locked session and no earlier step has read, oldest first.

    The first step that works on this state decides: when it is redone, it gets the same.
    """
    known = CommunicationReading.objects.filter(session=session, checkpoint_id=checkpoint_id).first()
    if known is not None:
        return list(_told(session).filter(pk__in=known.read))
    at = messages.saved_at(session, checkpoint_id)
    if at is None:  # nothing was saved, so a redone step would not be known again
        return []
    earlier = [pk for reading in session.readings.all() for pk in reading.read]
    found = list(_told(session).exclude(pk__in=earlier))
    CommunicationReading.objects.create(
        reading_id=derived_id(session.pk, "reading", checkpoint_id),
        project_id=session.project_id,
        session=session,
        checkpoint_id=checkpoint_id,
        saved_at=at,
        read=[one.pk for one in found],
    )
    return found


def _told(session: AgentSession) -> Any:
    beside = Q(sender_session=session.parent_id) | Q(sender_session__level=session.level)
    to_all = Q(receiver_session=None, coordination__coordinator_session=session.parent_id) & beside
    return (
        AgentCommunication.objects.filter(Q(receiver_session=session) | to_all, wait=None)
        .exclude(sender_session=session)
        .exclude(message_type__in=_OF_DELEGATION)
        .select_related("sender_session")
        .order_by("created_at", "pk")
    )


def unread_from(session: AgentSession, checkpoint_id: UUID) -> None:
    """A locked session goes back to a state: what steps from there on have read, they read again."""
    at = messages.saved_at(session, checkpoint_id)
    if at is not None:
        session.readings.filter(saved_at__gte=at).delete()


def unread_all(session: AgentSession) -> None:
    """A locked session begins anew: it reads everything again."""
    session.readings.all().delete()


def inherit_readings(fork: AgentSession, origin: AgentSession, checkpoint_id: UUID) -> None:
    """A fork that begins with a state has read what was read before that."""
    at = messages.saved_at(origin, checkpoint_id)
    before = origin.readings.filter(saved_at__lt=at or timezone.now())
    CommunicationReading.objects.bulk_create(
        CommunicationReading(
            reading_id=derived_id(fork.pk, "reading", one.checkpoint_id),
            project_id=fork.project_id,
            session=fork,
            checkpoint_id=one.checkpoint_id,
            saved_at=one.saved_at,
            read=one.read,
        )
        for one in before
    )
