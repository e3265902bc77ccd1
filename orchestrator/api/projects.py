"""Projects, and who is in them."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from agents import access
from agents.roles import Role
from agents.selectors import memberships
from orchestrator.api import callers
from orchestrator.api.answers import Member, ProjectOut
from orchestrator.api.errors import documented

router = Router(tags=["projects"])


@router.get("/projects", response=documented(list[ProjectOut]), operation_id="list_projects", summary="Your projects")
def listed(request: HttpRequest) -> list[ProjectOut]:
    """The projects that you belong to, with your role in each."""
    return [ProjectOut.of(one) for one in memberships.of_person(callers.of(request).user)]


@router.get(
    "/projects/{uuid:project_id}/people",
    response=documented(list[Member]),
    operation_id="list_people",
    summary="Who is in a project",
)
def people(request: HttpRequest, project_id: UUID) -> list[Member]:
    """The people of a project, with the role of each: whom a request can be given to."""
    project = access.project_for(callers.of(request).user, project_id)
    found = memberships.of_project(project.pk)
    return [Member(id=one.user.pk, name=one.user.get_username(), role=Role(one.role)) for one in found]
