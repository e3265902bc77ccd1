"""Versions of a project's policy."""

from uuid import UUID

from agents.errors import NotFound
from agents.models import PolicyVersion


def versions(project_id: UUID, limit: int = 50) -> list[PolicyVersion]:
    """The latest versions, the newest first. One query."""
    found = PolicyVersion.objects.filter(project_id=project_id).select_related("made_by")
    return list(found.order_by("-number")[:limit])


def version(project_id: UUID, number: int) -> PolicyVersion:
    """One version. Raises NotFound."""
    found = PolicyVersion.objects.filter(project_id=project_id, number=number).select_related("made_by").first()
    if found is None:
        raise NotFound
    return found
