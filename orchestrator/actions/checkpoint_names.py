"""Naming checkpoints."""

from uuid import UUID

from django.db import transaction

from agents import access
from agents.actor import person
from agents.events import causes
from agents.models import User
from agents.roles import Role
from agents.services import audit, checkpoint_names


@causes.act()
@transaction.atomic
def give(user: User, session_id: UUID, checkpoint_id: UUID, *, name: str) -> None:
    """Name a checkpoint; an empty name takes its name away. Done twice it is done once.

    Raises NotFound or Forbidden, InvalidInput with a message for the field `name`.
    """
    session = access.session_for(user, session_id, role=Role.OPERATOR)
    if checkpoint_names.give(session.pk, checkpoint_id, name, actor=person(user.pk)):
        audit.record(
            user.pk,
            "checkpoint.name",
            project_id=session.project_id,
            target=("session", session.pk),
            detail={"checkpoint": str(checkpoint_id)},
        )
