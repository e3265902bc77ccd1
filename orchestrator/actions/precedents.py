"""What was decided before about requests like one, and the rule that it suggests."""

from dataclasses import dataclass
from uuid import UUID

from agents import access
from agents.events import causes
from agents.models import Approval, User
from agents.policies.suggestions import Suggestion
from agents.roles import Role
from memory import precedents
from memory.services import precedents as meanings
from memory.services import suggestions

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Alike:
    """A decided request of the same project, and how like it is: a cosine, 0 to 1."""

    approval: Approval
    likeness: float


def precedents_of(user: User, approval_id: UUID, *, limit: int = SHOWN) -> list[Alike] | None:
    """The decided requests most like one, the most alike first; None while its meaning is still being looked for.

    Raises NotFound.
    """
    return known(access.approval_for(user, approval_id), limit=limit)


def known(approval: Approval, *, limit: int = SHOWN) -> list[Alike] | None:
    """The same of a request that the person may see. Nothing is embedded."""
    asked = precedents.vector_of(approval.pk)
    if asked is None:
        return None
    hits = precedents.alike(asked, limit)
    related = ("decided_by", "rule", "execution", "session__root")
    found = Approval.objects.filter(project_id=approval.project_id).select_related(*related)
    by_id = found.in_bulk([hit.approval_id for hit in hits])
    return [Alike(by_id[hit.approval_id], hit.likeness) for hit in hits if hit.approval_id in by_id]


def look_for(user: User, approval_id: UUID) -> list[Alike] | None:
    """The same, after finding out what it means, once; None while somebody else is about to. Raises NotFound."""
    approval = access.approval_for(user, approval_id)
    if precedents.vector_of(approval.pk) is None:
        meanings.look_at(approval.pk)
    return known(approval)


def suggested(user: User, approval: Approval) -> Suggestion | None:
    """The rule that people's latest decisions suggest to who could make it."""
    return suggestions.of(approval, by=user)


@causes.act()
def dismiss(user: User, approval_id: UUID) -> bool:
    """Do not suggest the rule that a request shows, to nobody in its project, until people have gone on alike.

    False where none is suggested. Raises NotFound, Forbidden.
    """
    return suggestions.dismiss(access.approval_for(user, approval_id, role=Role.APPROVER), by=user)
