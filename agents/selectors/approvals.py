"""Requests to people: lists of them, and one with all that a decision needs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Now

from agents.lifecycle import ApprovalStatus, Risk
from agents.models import AgentSession, Approval, Vote
from agents.roles import Role
from agents.selectors import absences, standing
from agents.storable import is_storable_text

_RANKS = {Risk.HIGH: 0, Risk.MEDIUM: 1, Risk.LOW: 2}
_RISK = Case(*[When(risk=name, then=Value(rank)) for name, rank in _RANKS.items()], output_field=IntegerField())
_URGENT = (F("deadline_at").asc(nulls_last=True), _RISK, "created_at", "pk")
SOON = timedelta(hours=1)


class Age(StrEnum):
    """How long ago a request was made, at least."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


AGES = {Age.HOUR: timedelta(hours=1), Age.DAY: timedelta(days=1), Age.WEEK: timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which requests are listed; what is empty does not count.

    `mine` holds the person whose missions count, `for_me` the one who was asked by name, or who stands in for whom was;
    `agent` is the type of the agent that asks; `age` is how old they are at least; `soon`: those whose deadline is
    within the hour.
    """

    mine: UUID | None = None
    for_me: UUID | None = None
    risk: str = ""
    tool: str = ""
    agent: str = ""
    age: str = ""
    soon: bool = False

    def condition(self) -> Q:
        """As a condition on requests. One query for `for_me`, otherwise none."""
        wanted = {
            "session__root__user_id": self.mine,
            "risk": self.risk,
            "tool_name": self.tool,
            "session__agent_type": self.agent,
        }
        condition = Q(**{name: value for name, value in wanted.items() if value})
        if self.for_me:
            condition &= absences.put_to(self.for_me)
        if self.age:
            condition &= Q(created_at__lt=Now() - AGES[Age(self.age)])
        return condition & Q(deadline_at__lt=Now() + SOON) if self.soon else condition


NAMES = ("who", "risk", "tool", "agent", "age", "due")
"""What the filters are called in addresses."""


def asked(given: Mapping[str, str], user_id: UUID) -> Filters:
    """The filters that a person asks for by their names; what means nothing does not count."""
    given = {name: value for name, value in given.items() if is_storable_text(value)}
    who, risk, age = (given.get(name, "") for name in ("who", "risk", "age"))
    return Filters(
        mine=user_id if who == "mine" else None,
        for_me=user_id if who == "me" else None,
        risk=risk if risk in set(Risk) else "",
        tool=given.get("tool", ""),
        agent=given.get("agent", ""),
        age=age if age in set(Age) else "",
        soon=given.get("due") == "soon",
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """How many open requests there are: all, of one person's missions, for that person by name or for whom that
    person stands in, with a deadline soon, and by risk, tool and agent type, the most first.
    """

    all: int
    mine: int
    for_me: int
    soon: int
    risks: Mapping[str, int]
    tools: Mapping[str, int]
    agents: Mapping[str, int]


def _open(project_id: UUID) -> QuerySet[Approval]:
    return Approval.objects.filter(project_id=project_id, status=ApprovalStatus.PENDING)


def pending(project_id: UUID, filters: Filters | None = None) -> QuerySet[Approval]:
    """The open requests of a project: those with a deadline first, then by risk, then the oldest."""
    found = _open(project_id).filter((filters or Filters()).condition())
    return found.select_related("session", "session__root").order_by(*_URGENT)


def listed(project_id: UUID, filters: Filters, limit: int) -> list[Approval]:
    """The most urgent of them, for a list. Two queries, and that of its
    filters: rows are wide, so only those that are shown are read.
    """
    return _read(_open(project_id).filter(filters.condition()), limit)


def _read(found: QuerySet[Approval], limit: int) -> list[Approval]:
    ids = list(found.order_by(*_URGENT).values_list("pk", flat=True)[:limit])
    known = Approval.objects.select_related("session", "session__root", "decided_by", "assigned_to").in_bulk(ids)
    return [known[pk] for pk in ids if pk in known]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the list of open requests: all that the one there is ordered by. None of it ever changes."""

    deadline_at: datetime | None
    risk: Risk
    created_at: datetime
    approval_id: UUID

    def condition(self) -> Q:
        """Those after it."""
        rank, at = _RANKS[self.risk], self.created_at
        later = Q(rank__gt=rank) | Q(rank=rank, created_at__gt=at)
        later |= Q(rank=rank, created_at=at, pk__gt=self.approval_id)
        if self.deadline_at is None:
            return Q(deadline_at__isnull=True) & later
        sooner = Q(deadline_at__isnull=True) | Q(deadline_at__gt=self.deadline_at)
        return sooner | (Q(deadline_at=self.deadline_at) & later)


def listed_after(project_id: UUID, filters: Filters, after: Mark | None, limit: int) -> list[Approval]:
    """As many of the most urgent open requests as fit on a page, from a mark on. Two queries, at any depth."""
    found = _open(project_id).filter(filters.condition())
    return _read(found.alias(rank=_RISK).filter(after.condition()) if after else found, limit)


def counts(project_id: UUID, user_id: UUID) -> Counts:
    """The counts beside the filters. Two queries."""
    named = absences.put_to(user_id)
    groups = list(
        _open(project_id)
        .order_by()
        .values_list("risk", "tool_name", "session__agent_type")
        .annotate(
            every=Count("pk"),
            mine=Count("pk", filter=Q(session__root__user_id=user_id)),
            for_me=Count("pk", filter=named),
            soon=Count("pk", filter=Q(deadline_at__lt=Now() + SOON)),
        )
    )
    every, mine, for_me, soon = (sum(group[column] for group in groups) for column in range(3, 7))
    risks, tools, agents = (_summed(groups, column) for column in range(3))
    return Counts(every, mine, for_me, soon, risks, tools, agents)


def _summed(groups: Sequence[tuple[Any, ...]], column: int) -> dict[str, int]:
    found: Counter[str] = Counter()
    for group in groups:
        if group[column]:
            found[group[column]] += group[3]
    return dict(found.most_common())


def undoable(project_id: UUID, user_id: UUID) -> list[Approval]:
    """Decisions of a person that can be taken back now, by the database's clock. One query."""
    found = Approval.objects.filter(
        project_id=project_id, decided_by=user_id, dispatched_at__isnull=True, effective_at__gt=Now()
    )
    return list(found.order_by("effective_at"))


def standing_votes(approval: Approval) -> list[Vote]:
    """What stands of what people said to a request, in order; of an open one what counts. One query."""
    is_open = approval.status == ApprovalStatus.PENDING
    role = Role(approval.terms.get("role", Role.APPROVER))
    said = Vote.objects.that_count(role) if is_open else Vote.objects.standing()
    return list(said.filter(approval=approval).select_related("user").order_by("created_at"))


def waiting_ids(project_id: UUID, limit: int = 100) -> list[UUID]:
    """Ids of the oldest open requests of a project. One query."""
    return list(_open(project_id).order_by("created_at").values_list("pk", flat=True)[:limit])


def waiting(project_id: UUID) -> int:
    """How many open requests a project has. One query."""
    return _open(project_id).count()


@dataclass(frozen=True, slots=True)
class Context:
    """What stands behind a request: the agents above the asking one, what it waits for, who else waits with it."""

    chain: tuple[AgentSession, ...]
    waiting: standing.Waiting | None
    asked_at: datetime
    held_up: int


def context(approval: Approval) -> Context:
    """The context of a request. Four queries."""
    session = approval.session
    above = AgentSession.objects.in_bulk([*session.path, session.pk])
    chain = tuple(above[pk] for pk in [*session.path, session.pk] if pk in above)
    return Context(
        chain,
        standing.waiting([session]).get(session.pk),
        approval.created_at,
        sum(one.status == "waiting_children" for one in chain),
    )
