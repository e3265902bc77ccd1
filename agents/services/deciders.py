"""Who may decide a request: by its role, whom it is for, and who asks."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from agents import access
from agents.errors import Forbidden
from agents.models import Absence, AgentSession, Approval, User
from agents.policies.policy import Terms
from agents.roles import Role, higher, includes


def check(approval: Approval, terms: Terms, user: User, role: Role | None) -> None:
    """Raise Forbidden, with the reason, for who may not decide this request now, with this role in its project.

    The caller holds its session.
    """
    if reason := _obstacle(approval, terms, user, role):
        raise Forbidden(reason)


def obstacle(approval: Approval, terms: Terms, user: User) -> str:
    """Why a person may not decide a request under these terms; empty if nothing stands in the way."""
    return _obstacle(approval, terms, user, access.role_in(user, approval.project_id))


def _obstacle(approval: Approval, terms: Terms, user: User, role: Role | None) -> str:
    wanted = higher(Role(approval.assigned_role), terms.role)
    if role is None or not includes(role, wanted):
        return f"This needs the role {wanted}; yours is {role}." if role else "You do not belong to this project."
    if terms.not_own and is_own(approval, user.pk):
        return "Your own mission asks for this: somebody else must decide."
    if approval.assigned_to_id not in (None, user.pk) and user.pk not in stand_ins(approval):
        name = User.objects.filter(pk=approval.assigned_to_id).values_list(User.USERNAME_FIELD, flat=True).first()
        return f"This is for {name}."
    return ""


def is_own(approval: Approval, user_id: UUID) -> bool:
    """Does a mission of this person ask?"""
    return AgentSession.objects.filter(pk=approval.session.root_id, user=user_id).exists()


def stand_ins(approval: Approval) -> set[UUID]:
    """Who decides for whom the request is for, because that person is away."""
    if approval.assigned_to_id is None:
        return set()
    away = absences(approval.project_id).filter(user=approval.assigned_to_id)
    return set(away.values_list("stand_in", flat=True))


def absences(project_id: UUID) -> QuerySet[Absence]:
    """Who is away from a project now, by the database's clock."""
    return Absence.objects.filter(
        Q(until__isnull=True) | Q(until__gt=Now()), project=project_id, since__lte=Now(), ended_at__isnull=True
    )
