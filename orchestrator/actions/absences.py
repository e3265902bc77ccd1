"""Being away: people say who decides in place of them meanwhile; admins may say it for others."""

from datetime import datetime
from uuid import UUID

from agents import access
from agents.events import causes
from agents.models import Absence, User
from agents.services import absences
from agents.services.absences import Leave


@causes.act()
def begin(
    user: User,
    project_id: UUID,
    *,
    stand_in: UUID,
    since: datetime | None = None,
    until: datetime | None = None,
    person: UUID | None = None,
    key: str = "",
) -> Absence:
    """Let somebody stand in for `person`, without one for the user, from now or `since` on.

    Raises NotFound, Forbidden, InvalidInput with a message for each bad field.
    """
    access.project_for(user, project_id)
    return absences.begin(project_id, Leave(person or user.pk, stand_in, since, until, key), by=user)


@causes.act()
def end(user: User, absence_id: UUID) -> Absence:
    """End an absence now. Raises NotFound, Forbidden for somebody else's, InvalidTransition when it is over."""
    access.absence_for(user, absence_id)
    return absences.end(absence_id, by=user)
