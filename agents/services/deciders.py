"""Who may decide a request: by its role, whom it is for, and who asks."""

from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Now

from agents import access
from agents.errors import Forbidden
from agents.models import Absence, AgentSession, Approval, Membership, User
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
        return f"This is for {name}.{_stood_in(approval, user, str(name))}"
    return ""


def check_named(approval: Approval, terms: Terms, user: User) -> None:
    """Raise Forbidden where the terms of what somebody made of a request name another person, who may decide."""
    found = named(approval.project_id, terms.person, terms.role)
    if found is None or user.pk == found or user.pk in _stand_ins(approval.project_id, found):
        return
    raise Forbidden(f"Changed like this, it is for {terms.person} to decide.")


def _stood_in(approval: Approval, user: User, name: str) -> str:
    """Until when a person stood in for whom the request is for: their page may be older than that."""
    known = Absence.objects.filter(project=approval.project_id, user=approval.assigned_to_id, stand_in=user)
    ended = known.filter(since__lte=Now()).annotate(over=Coalesce("ended_at", "until")).filter(over__lte=Now())
    last = ended.order_by("over").values_list("over", flat=True).last()
    return f" You stood in for {name} until {last:%-d %b %Y, %H:%M} UTC." if last else ""


def is_own(approval: Approval, user_id: UUID) -> bool:
    """Does a mission of this person ask?"""
    return AgentSession.objects.filter(pk=approval.session.root_id, user=user_id).exists()


def named(project_id: UUID, name: str, role: Role) -> UUID | None:
    """Who of this name has this role at least; None without one."""
    if not name:
        return None
    found = Membership.objects.able(role).filter(project=project_id, **{f"user__{User.USERNAME_FIELD}": name})
    return found.values_list("user_id", flat=True).first()


def stand_ins(approval: Approval) -> set[UUID]:
    """Who decides for whom the request is for, because that person is away.

    One step only: who stands in for a stand-in decides nothing here.
    """
    return _stand_ins(approval.project_id, approval.assigned_to_id) if approval.assigned_to_id else set()


def _stand_ins(project_id: UUID, user_id: UUID) -> set[UUID]:
    return set(absences(project_id).filter(user=user_id).values_list("stand_in", flat=True))


def absences(project_id: UUID) -> QuerySet[Absence]:
    """Who is away from a project now, by the database's clock, with somebody who may decide in place of them."""
    return Absence.objects.that_count().filter(project=project_id)
