"""Who may see and do what. What is not yours looks like what is not there."""

from typing import TypeVar
from uuid import UUID

from django.db.models import QuerySet

from agents.errors import Forbidden, NotFound
from agents.models import (
    Absence,
    AgentSession,
    Approval,
    ApprovalRule,
    DeadLetter,
    Membership,
    Project,
    User,
    Webhook,
)
from agents.roles import Role, includes

OfProject = TypeVar("OfProject", AgentSession, Approval, ApprovalRule, Webhook, Absence)


def projects_for(user: User) -> QuerySet[Project]:
    """The projects that a person belongs to."""
    return Project.objects.filter(memberships__user=user).order_by("created_at")


def project_for(user: User, project_id: UUID, *, role: Role = Role.VIEWER) -> Project:
    """The project, if the person has `role` in it. Raises NotFound to strangers, Forbidden to lesser roles."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        raise NotFound
    _check(user, project.pk, role)
    return project


def session_for(user: User, session_id: UUID, *, role: Role = Role.VIEWER) -> AgentSession:
    """The session, if the person has `role` in its project. Raises NotFound or Forbidden."""
    return _one(AgentSession.objects.select_related("project", "root", "current_run").filter(pk=session_id), user, role)


def mission_for(user: User, mission_id: UUID, *, role: Role = Role.VIEWER) -> AgentSession:
    """The mission's root session, likewise."""
    session = session_for(user, mission_id, role=role)
    if session.parent_id is not None:
        raise NotFound
    return session


def approval_for(user: User, approval_id: UUID, *, role: Role = Role.VIEWER) -> Approval:
    """The approval, likewise."""
    return _one(Approval.objects.select_related("session", "project", "wait").filter(pk=approval_id), user, role)


def rule_for(user: User, rule_id: UUID, *, role: Role = Role.VIEWER) -> ApprovalRule:
    """The rule that decides requests, likewise."""
    return _one(ApprovalRule.objects.select_related("owner", "project", "revoked_by").filter(pk=rule_id), user, role)


def webhook_for(user: User, webhook_id: UUID, *, role: Role = Role.ADMIN) -> Webhook:
    """The webhook, likewise, to admins; one that was removed is not there."""
    found = Webhook.objects.select_related("project", "made_by").filter(pk=webhook_id, removed_at__isnull=True)
    return _one(found, user, role)


def absence_for(user: User, absence_id: UUID, *, role: Role = Role.VIEWER) -> Absence:
    """The absence, likewise."""
    return _one(Absence.objects.select_related("user", "stand_in", "project").filter(pk=absence_id), user, role)


def letter_for(user: User, letter_id: UUID, *, role: Role = Role.VIEWER) -> DeadLetter:
    """The dead letter, likewise. One of no project belongs to the installation, so to its admins."""
    letter = DeadLetter.objects.select_related("project", "session").filter(pk=letter_id).first()
    if letter is None or (letter.project_id is None and not is_admin(user)):
        raise NotFound
    if letter.project_id is not None:
        _check(user, letter.project_id, role)
    return letter


def is_admin(user: User, project_id: UUID | None = None) -> bool:
    """Is the person an admin of the project; without one, of any?"""
    within = {"project_id": project_id} if project_id else {}
    return Membership.objects.filter(user=user, role=Role.ADMIN, **within).exists()


def role_in(user: User, project_id: UUID) -> Role | None:
    """The person's role in a project; None for strangers."""
    role = Membership.objects.filter(user=user, project_id=project_id).values_list("role", flat=True).first()
    return Role(role) if role else None


def _one(found: QuerySet[OfProject], user: User, role: Role) -> OfProject:
    """The row of a project in which the person has `role`. Raises NotFound, Forbidden."""
    row = found.first()
    if row is None:
        raise NotFound
    _check(user, row.project_id, role)
    return row


def _check(user: User, project_id: UUID, wanted: Role) -> None:
    role = role_in(user, project_id)
    if role is None:
        raise NotFound
    if not includes(role, wanted):
        raise Forbidden(f"This needs the role {wanted}; yours is {role}.")


def roles_of(user: User) -> dict[UUID, Role]:
    """The person's role in each project that they belong to."""
    found = Membership.objects.filter(user=user).values_list("project_id", "role")
    return {project_id: Role(role) for project_id, role in found}
