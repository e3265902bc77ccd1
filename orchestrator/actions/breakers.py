"""Closing a circuit breaker by hand."""

from uuid import UUID

from agents import access
from agents.errors import NotFound
from agents.ids import derived_id
from agents.models import User
from agents.roles import Role
from agents.services import audit
from orchestrator.conf import breaker_limits
from orchestrator.resilience import breakers
from orchestrator.resilience.breakers import Breaker


def close(user: User, name: str, *, project_id: UUID) -> bool:
    """Let calls pass again now; False when it was closed meanwhile. For operators of the project they stand in.

    Raises NotFound where no such breaker is open, half open or counting.
    """
    project = access.project_for(user, project_id, role=Role.OPERATOR)
    if name not in (breakers.names() or ()):
        raise NotFound("This breaker is closed already, or Redis is away.")
    has_closed = Breaker(name, name, breaker_limits()).close()
    audit.record(
        user.pk,
        "breaker.close",
        project_id=project.pk,
        target=("breaker", derived_id(project.pk, "breaker", name)),
        detail={"breaker": name},
    )
    return has_closed
