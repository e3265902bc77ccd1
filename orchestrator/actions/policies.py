"""A project's policy: everybody who belongs to it reads it, admins edit it."""

from typing import Any
from uuid import UUID

from agents import access
from agents.events import causes
from agents.models import PolicyVersion, User
from agents.roles import Role
from agents.services import policies
from agents.services.policies import InForce, Trial
from orchestrator.tools import registry


def in_force(user: User, project_id: UUID) -> InForce:
    """The policy that holds in a project, and its number. Raises NotFound."""
    return policies.in_force(access.project_for(user, project_id).pk)


@causes.act()
def save(user: User, project_id: UUID, given: Any, *, expected: int | None, note: str) -> PolicyVersion:
    """Put another policy in force. `expected`: the number of the one that was edited, None where there was none.

    Raises NotFound, Forbidden to who is no admin, InvalidInput with a message for each bad field, StaleVersion when
    another version came before.
    """
    access.project_for(user, project_id, role=Role.ADMIN)
    return policies.save(project_id, given, expected=expected, note=note, by=user)


def tried(user: User, project_id: UUID, given: Any) -> Trial:
    """Which of the latest calls another policy would have treated otherwise. Raises as `save` does."""
    access.project_for(user, project_id, role=Role.ADMIN)
    return policies.tried(project_id, given, {tool.name: tool.policy for tool in registry.tools()})
