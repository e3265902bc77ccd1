"""Sending signals to missions."""

from typing import Any
from uuid import UUID

from django.db import transaction

from agents import access
from agents.actor import person
from agents.ids import new_id
from agents.models import Signal, User
from agents.roles import Role
from agents.services import audit, signals


@transaction.atomic
def send(
    user: User, mission_id: UUID, name: str, payload: Any, *, everyone: bool = False, signal_id: UUID | None = None
) -> Signal | None:
    """Send a signal to one wait of a mission, or to each of its agents; None if `signal_id` was sent before.

    Raises NotFound or Forbidden, InvalidInput with a message for `name` or `payload`.
    """
    mission = access.mission_for(user, mission_id, role=Role.OPERATOR)
    sent = signals.send(mission, signal_id or new_id(), name, payload, everyone=everyone, actor=person(user.pk))
    if sent is not None:
        audit.record(
            user.pk,
            "signal.send",
            project_id=mission.project_id,
            target=("session", mission.pk),
            detail={"signal": str(sent.pk), "name": name, "everyone": everyone},
        )
    return sent
