"""Suggested rules: what follows from the latest decisions about a tool, and that somebody does not want it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.lifecycle import ApprovalStatus, DecidedBy
from agents.models import Approval, User
from agents.policies.suggestions import LEAST, Past, Suggestion, suggested
from agents.schemas import secrets
from agents.services import audit, rules
from memory.models import Dismissal

LOOKED_AT = 50  # decisions
LOOKED_BACK = timedelta(days=30)

_DISMISS = """
INSERT INTO suggestion_dismissals AS known (dismissal_id, project_id, tool_name, user_id, dismissed_at)
VALUES (%(id)s, %(project)s, %(tool)s, %(user)s, clock_timestamp())
ON CONFLICT (project_id, tool_name) DO UPDATE SET user_id = excluded.user_id, dismissed_at = excluded.dismissed_at
WHERE known.dismissed_at < %(latest)s
RETURNING dismissal_id"""


def of(approval: Approval, *, by: User) -> Suggestion | None:
    """The rule that people's latest decisions about its tool suggest, if this person could make it and it covers this.

    None as long as nothing is to be suggested. Four queries at most where no rule is there.
    """
    if approval.status != ApprovalStatus.PENDING or approval.kind not in rules.CALLS or not approval.tool_name:
        return None
    decided = _decided(approval)
    if len(decided) < LEAST or not _are_alike(decided[:LEAST]):  # most of the time: then no arguments are read
        return None
    dismissed_at = _dismissed_at(approval)
    past = _past(decided, dismissed_at)
    found = suggested(past, secret=secrets(approval.schema), is_dismissed=dismissed_at is not None)
    if found is None or not found.covers(approval.proposed) or not rules.is_wanted(found.verdict, approval, by=by):
        return None
    return found


def _decided(approval: Approval) -> list[dict[str, Any]]:
    """What people decided lately about its tool, the newest first; without the arguments, which may be large."""
    found = Approval.objects.filter(
        project_id=approval.project_id,
        tool_name=approval.tool_name,
        kind__in=rules.CALLS,
        decided_how=DecidedBy.PERSON,
        decided_at__gte=Now() - LOOKED_BACK,
    ).exclude(status__in=[ApprovalStatus.PENDING, ApprovalStatus.WITHDRAWN])
    told = found.annotate(is_unedited=Q(edited__isnull=True)).order_by("-decided_at")
    columns = told.values("pk", "verdict", "is_unedited", "decided_by", "decided_at", "reason")
    return [dict(one) for one in columns[:LOOKED_AT]]


def _are_alike(decided: Sequence[dict[str, Any]]) -> bool:
    return all(one["is_unedited"] for one in decided) and len({one["verdict"] for one in decided}) == 1


def _past(decided: Sequence[dict[str, Any]], dismissed_at: datetime | None) -> list[Past]:
    """Up to the first that is not like the latest."""
    first = decided[0]["verdict"]
    alike = list(takewhile(lambda one: one["verdict"] == first and one["is_unedited"], decided))
    proposed = dict(Approval.objects.filter(pk__in=[one["pk"] for one in alike]).values_list("pk", "proposed"))
    return [
        Past(
            person=one["decided_by"],
            verdict=one["verdict"],
            is_edited=False,
            arguments=proposed[one["pk"]],
            reason=one["reason"],
            is_fresh=dismissed_at is None or one["decided_at"] > dismissed_at,
        )
        for one in alike
        if one["pk"] in proposed
    ]


def _dismissed_at(approval: Approval) -> datetime | None:
    found = Dismissal.objects.filter(project_id=approval.project_id, tool_name=approval.tool_name)
    return found.values_list("dismissed_at", flat=True).first()


@transaction.atomic
def dismiss(approval: Approval, *, by: User) -> bool:
    """Do not suggest a rule for a request's tool until people have gone on alike; False where none was suggested.

    Pressed twice, or by two people at once, it counts once.
    """
    if of(approval, by=by) is None:
        return False
    given = {
        "id": new_id(),
        "project": approval.project_id,
        "tool": approval.tool_name,
        "user": by.pk,
        "latest": _decided(approval)[0]["decided_at"],
    }
    with connection.cursor() as cursor:
        cursor.execute(_DISMISS, given)
        row = cursor.fetchone()
    if row is None:
        return False
    target = ("dismissal", row[0])
    audit.record(
        by.pk, "suggestion.dismiss", project_id=approval.project_id, target=target, detail={"tool": approval.tool_name}
    )
    return True
