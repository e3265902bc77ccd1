"""What admins set for a project."""

from uuid import UUID

from django.db import transaction

from agents import access
from agents.models import User
from agents.roles import Role
from agents.services import accounts, audit


@transaction.atomic
def limit(user: User, project_id: UUID, most: int | None) -> None:
    """Let at most that many agents of a project run at once; None: as many as of any project.

    Workers look at it with their next claim. Raises NotFound, Forbidden to who is no admin, InvalidInput.
    """
    project = access.project_for(user, project_id, role=Role.ADMIN)
    previous = accounts.set_max_running(project.pk, most)
    if previous != most:
        audit.record(
            user.pk,
            "project.limit",
            project_id=project.pk,
            target=("project", project.pk),
            detail={"max_running": most, "previous": previous},
        )
