"""The people of a project."""

from uuid import UUID

from agents.models import Membership
from agents.roles import Role


def deciders(project_id: UUID) -> list[Membership]:
    """Those who may decide requests, by name. One query."""
    found = Membership.objects.able(Role.APPROVER).filter(project=project_id)
    return list(found.select_related("user").order_by("user__username"))
