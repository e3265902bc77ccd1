"""Who is away now and later, who stands in, and what to know about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from agents.models import Absence, Approval, Membership
from agents.roles import Role, includes
from agents.services import deciders


@dataclass(frozen=True, slots=True)
class Away:
    """An absence of now or later. `stand_in_role`: None for who may not decide there any more.

    `chained`: the stand-in is away in that time, too; `left`: for whom the person stands in then.
    """

    absence: Absence
    is_now: bool
    role: Role | None
    stand_in_role: Role | None
    chained: Sequence[Absence]
    left: Sequence[Absence]

    @property
    def counts(self) -> bool:
        """May the stand-in decide at all, and the other, too?"""
        return self.role is not None and self.stand_in_role is not None

    @property
    def has_lesser_role(self) -> bool:
        """May the stand-in decide less than the other?"""
        return bool(self.role and self.stand_in_role and not includes(self.stand_in_role, self.role))


def known(project_id: UUID, members: Sequence[Membership]) -> list[Away]:
    """The absences of now and later, in the order in which they begin. `members`: who may decide. One query."""
    found = Absence.objects.not_over().filter(project=project_id).select_related("user", "stand_in")
    is_now = Exists(Absence.objects.now().filter(pk=OuterRef("pk")))
    rows = list(found.annotate(is_now=is_now).order_by("since", "pk"))
    roles = {one.user_id: Role(one.role) for one in members}
    return [_away(one, rows, roles) for one in rows]


def _away(one: Absence, rows: Sequence[Absence], roles: Mapping[UUID, Role]) -> Away:
    meanwhile = [other for other in rows if _overlap(one, other)]
    return Away(
        absence=one,
        is_now=bool(getattr(one, "is_now", False)),
        role=roles.get(one.user_id),
        stand_in_role=roles.get(one.stand_in_id),
        chained=[other for other in meanwhile if other.user_id == one.stand_in_id],
        left=[other for other in meanwhile if other.stand_in_id == one.user_id],
    )


def _overlap(one: Absence, other: Absence) -> bool:
    begins_before = other.until is None or one.since < other.until
    return begins_before and (one.until is None or other.since < one.until)


def put_to(user_id: UUID) -> Q:
    """As a condition on requests: those for a person by name, and for whom that person stands in now. One query.

    It is asked apart: inside the condition of ten thousand rows its estimate is so high that PostgreSQL compiles first.
    """
    condition = Q(assigned_to=user_id)
    away: dict[UUID, list[UUID]] = {}
    for project_id, absent in Absence.objects.that_count().filter(stand_in=user_id).values_list("project", "user"):
        away.setdefault(project_id, []).append(absent)
    for project_id, absents in away.items():
        condition |= Q(project=project_id, assigned_to__in=absents)
    return condition


def of_request(approval: Approval) -> Absence | None:
    """The absence, now, of whom a request is for by name, if somebody stands in. One query; none for a role's."""
    if approval.assigned_to_id is None:
        return None
    found = deciders.absences(approval.project_id).filter(user=approval.assigned_to_id)
    return found.select_related("user", "stand_in").first()
