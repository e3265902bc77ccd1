"""Who belongs to which projects."""

from uuid import UUID

from agents.models import Membership, User


def of_person(user: User) -> list[Membership]:
    """The projects of a person with the role in each, the oldest first. One query."""
    return list(Membership.objects.filter(user=user).select_related("project").order_by("project__created_at", "pk"))


def of_project(project_id: UUID) -> list[Membership]:
    """The people of a project with the role of each, by name. One query."""
    found = Membership.objects.filter(project_id=project_id).select_related("user")
    return sorted(found, key=lambda one: one.user.get_username())
