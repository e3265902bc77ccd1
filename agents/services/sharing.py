"""Resource sharing: an agent that needs less hands a part of its limits to the peer that is nearest to its own."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from agents.actor import agent
from agents.errors import Fenced
from agents.graphs.ports import Limits
from agents.lifecycle import ACTIVE, SessionStatus
from agents.models import AgentCommunication, AgentSession, Budget
from agents.services import budgets, communications, sessions, spending
from agents.services.communications import Direction, Message
from agents.services.leases import Holding
from agents.words import CommunicationType


def hand_over(holding: Holding, message_id: UUID) -> dict[str, str]:
    """Hand half of what the agent has left to the peer at work that has spent most of a limit; what, by limit's name.

    Once for `message_id`. Nothing where the agent has no budget of its own, or no peer at work has one. What both
    may spend together stays the same. Raises Fenced when another attempt runs the agent.
    """
    giver = Budget.objects.filter(session=holding.session_id).select_related("session").first()
    taker = _neediest(giver.session) if giver else None
    if taker is None or AgentCommunication.objects.filter(pk=message_id).exists():
        return {}
    with transaction.atomic():
        held = sessions.lock_all([holding.session_id, taker.pk])
        session, peer = held[holding.session_id], held[taker.pk]
        if session.attempt != holding.attempt or session.status != SessionStatus.RUNNING:
            raise Fenced
        if peer.status not in ACTIVE or AgentCommunication.objects.filter(pk=message_id).exists():
            return {}
        return _move(session, peer, message_id)


def _neediest(session: AgentSession) -> AgentSession | None:
    peers = AgentSession.objects.active().filter(parent=session.parent_id, level=session.level, budget__isnull=False)
    found = peers.exclude(pk=session.pk).exclude(parent__isnull=True).select_related("budget")
    return max(found, key=lambda one: (_share_spent(one), str(one.pk)), default=None)


def _share_spent(session: AgentSession) -> Decimal:
    spent = asdict(spending.below(session))
    limits = budgets.limits_of(session.budget).given()
    return max((Decimal(spent[name]) / Decimal(limit) for name, limit in limits.items()), default=Decimal(0))


def _move(session: AgentSession, peer: AgentSession, message_id: UUID) -> dict[str, str]:
    found = Budget.objects.in_bulk([session.pk, peer.pk])
    own, theirs = (asdict(budgets.limits_of(found[one.pk])) for one in (session, peer))
    spent = asdict(spending.below(session))
    moved: dict[str, Any] = {
        name: _half(own[name] - spent[name])
        for name in budgets.NAMES
        if own[name] is not None and theirs[name] is not None and _half(own[name] - spent[name]) > 0
    }
    if not moved:
        return {}
    actor = agent(session.pk)
    budgets.set_limits(
        session, Limits(**{**own, **{name: own[name] - part for name, part in moved.items()}}), actor=actor
    )
    budgets.set_limits(
        peer, Limits(**{**theirs, **{name: theirs[name] + part for name, part in moved.items()}}), actor=actor
    )
    budgets.relieve(peer, f"{session.name} has handed over a part of its own.")
    told = {name: str(part) for name, part in moved.items()}
    communications.send(
        session,
        message_id,
        Message(CommunicationType.RESOURCE_SHARING, {"limits": told}),
        communications.group_of(session, Direction.PEERS),
        peer.pk,
        conversation=message_id,
    )
    return told


def _half(left: Any) -> Any:
    return (left / 2).quantize(Decimal("0.000001")) if isinstance(left, Decimal) else left // 2
