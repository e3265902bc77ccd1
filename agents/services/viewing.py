"""Who looks at a request, and who is about to decide it. It says so to others, and blocks nobody."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.actor import person
from agents.events import store
from agents.events.types import ApprovalSeen
from agents.lifecycle import ApprovalStatus
from agents.models import Approval, Sight, User
from agents.services import deadlines

CLAIM_SECONDS = 120.0
LOOKING = timedelta(seconds=75)  # a page that is open says so every half minute


@transaction.atomic
def see(approval: Approval, user: User) -> None:
    """A person looks at a request; the first time is an event."""
    _, is_first = Sight.objects.update_or_create(
        approval=approval, user=user, defaults={"last_at": Now()}, create_defaults={"project_id": approval.project_id}
    )
    if is_first:
        seen = ApprovalSeen(session_id=approval.session_id)
        store.record(seen, approval.session, actor=person(user.pk), aggregate_id=approval.pk)


def looking(approval: Approval) -> Sequence[User]:
    """Who looks at a request now."""
    sights = Sight.objects.filter(approval=approval, last_at__gt=Now() - LOOKING)
    return [sight.user for sight in sights.select_related("user").order_by("first_at")]


@transaction.atomic
def claim_next(open_requests: Sequence[UUID], user: User) -> UUID | None:
    """The first of these requests that nobody else is about to decide, claimed for a while; None without one."""
    free = Q(claimed_by=None) | Q(claimed_by=user) | Q(claimed_until__lt=Now())
    for approval_id in open_requests:
        claimed = Approval.objects.filter(free, pk=approval_id, status=ApprovalStatus.PENDING).update(
            claimed_by=user, claimed_until=deadlines.after(CLAIM_SECONDS)
        )
        if claimed:
            return approval_id
    return None
