"""Decided requests: who or what decided them, when, and what came of it; the newest decision first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from agents.lifecycle import ApprovalStatus, DecidedBy
from agents.models import Approval
from agents.selectors import approvals
from agents.selectors.approvals import AGES, Age

_NEWEST = ("-decided_at", "-pk")
_RELATED = ("session", "session__root", "assigned_to", "decided_by", "rule", "execution")
_WIDE = ("execution__input_data", "execution__effective_data", "execution__output_data")
_SAMPLE = 1000  # decisions whose tools and agents are offered as filters


class Outcome(StrEnum):
    """What became of a request: every status but that of an open one."""

    APPROVED = ApprovalStatus.APPROVED.value
    REJECTED = ApprovalStatus.REJECTED.value
    ANSWERED = ApprovalStatus.ANSWERED.value
    WITHDRAWN = ApprovalStatus.WITHDRAWN.value


class By(StrEnum):
    """Who or what decided: the person who looks, any person, or one of what decides by itself."""

    ME = "me"
    PERSON = DecidedBy.PERSON.value
    RULE = DecidedBy.RULE.value
    POLICY = DecidedBy.POLICY.value
    DEADLINE = DecidedBy.DEADLINE.value


@dataclass(frozen=True, slots=True)
class Filters:
    """Which decided requests are listed; what is empty does not count.

    `about` are the filters of open requests, without those of their time. `by_me` holds the person who decided,
    `how` says how else; `age` is how long ago they were decided at least.
    """

    about: approvals.Filters = field(default_factory=approvals.Filters)
    outcome: str = ""
    by_me: UUID | None = None
    how: str = ""
    age: str = ""

    def condition(self) -> Q:
        """As a condition on requests. One query for those that were for a person, otherwise none."""
        wanted = {"status": self.outcome, "decided_by": self.by_me, "decided_how": self.how}
        condition = Q(**{name: value for name, value in wanted.items() if value})
        if self.age:
            condition &= Q(decided_at__lt=Now() - AGES[Age(self.age)])
        return condition & self.about.condition()


NAMES = ("who", "outcome", "by", "risk", "tool", "agent", "age")
"""What the filters are called in addresses."""


def asked(given: Mapping[str, str], user_id: UUID) -> Filters:
    """The filters that a person asks for by their names; what means nothing does not count."""
    about = approvals.asked(given, user_id)
    outcome, by = given.get("outcome", ""), given.get("by", "")
    return Filters(
        about=replace(about, age="", soon=False),
        outcome=outcome if outcome in set(Outcome) else "",
        by_me=user_id if by == By.ME else None,
        how=by if by in set(DecidedBy) else "",
        age=about.age,
    )


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the list of decided requests: all that the one there is ordered by.

    A decision that is taken back and made again is a newer one, further up.
    """

    decided_at: datetime
    approval_id: UUID

    def condition(self) -> Q:
        """Those after it, which were decided before. The first part is what an index begins to read at."""
        return Q(decided_at__lte=self.decided_at) & (
            Q(decided_at__lt=self.decided_at) | Q(decided_at=self.decided_at, pk__lt=self.approval_id)
        )


def _decided(project_id: UUID) -> QuerySet[Approval]:
    return Approval.objects.filter(project_id=project_id, decided_at__isnull=False)


def _rows() -> QuerySet[Approval]:
    return Approval.objects.select_related(*_RELATED).defer(*_WIDE)


def listed_after(project_id: UUID, filters: Filters, after: Mark | None, limit: int) -> list[Approval]:
    """As many of the newest decisions as fit on a page, from a mark on. Two queries, at any depth, and that of its
    filters: rows are wide, so only those that are shown are read.
    """
    found = _decided(project_id).filter(filters.condition())
    found = found.filter(after.condition()) if after else found
    ids = list(found.order_by(*_NEWEST).values_list("pk", flat=True)[:limit])
    known = _rows().in_bulk(ids)
    return [known[pk] for pk in ids if pk in known]


def row(project_id: UUID, approval_id: UUID) -> Approval | None:
    """One request of a project, with all that its row in a list says. One query."""
    return _rows().filter(project_id=project_id, pk=approval_id).first()


def latest(project_id: UUID, limit: int = 5) -> list[Approval]:
    """The latest decisions. One query."""
    return list(
        _decided(project_id).select_related("decided_by", "session", "session__root").order_by(*_NEWEST)[:limit]
    )


@dataclass(frozen=True, slots=True)
class Offered:
    """Tools and types of agents that the latest decisions were about, the most frequent first."""

    tools: Sequence[str]
    agents: Sequence[str]


def offered(project_id: UUID) -> Offered:
    """What the latest thousand decisions can be filtered by. One query."""
    newest = _decided(project_id).order_by(*_NEWEST).values_list("tool_name", "session__agent_type")[:_SAMPLE]
    tools, agents = (Counter(filter(None, names)) for names in (zip(*newest, strict=True) if newest else ((), ())))
    return Offered([name for name, _ in tools.most_common()], [name for name, _ in agents.most_common()])
