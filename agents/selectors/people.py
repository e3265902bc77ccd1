"""The people of a project."""

from uuid import UUID

from agents.models import Membership
from agents.roles import DECIDING


def deciders(project_id: UUID) -> list[Membership]:
    """Those who may decide requests, by name. One query."""
    found = Membership.objects.filter(project_id=project_id, role__in=DECIDING, user__is_active=True)
    return list(found.select_related("user").order_by("user__username"))
