"""Missions: lists of them, and one as a tree of agents."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, DecimalField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from agents.lifecycle import ACTIVE, FINAL, SessionStatus
from agents.models import AgentMessage, AgentSession, ModelCall, ToolExecution
from agents.roles import Level
from agents.selectors import lanes
from agents.selectors.lanes import Lane
from agents.selectors.standing import Standing, Waiting, standing, statuses, waiting

_MONEY = DecimalField(max_digits=14, decimal_places=6)


@dataclass(frozen=True, slots=True)
class MissionLine:
    """A mission in a list: how many of its agents stand where."""

    session: AgentSession
    agents: int
    done: int
    failed: int
    human: int
    running: int
    cost: Decimal

    @property
    def standing(self) -> Standing:
        """Where it stands: a person comes first."""
        return Standing.HUMAN if self.human else standing(self.session)


def lines(project_id: UUID, *, only_active: bool = False, limit: int = 50) -> list[MissionLine]:
    """The project's missions: what needs a person first, then the newest. One query."""
    found: QuerySet[AgentSession] = AgentSession.objects.missions().filter(project_id=project_id)
    if only_active:
        found = found.filter(status__in=ACTIVE)
    cost = (
        ModelCall.objects.filter(session__root=OuterRef("pk"))
        .order_by()
        .values("session__root")
        .annotate(total=Sum("cost"))
        .values("total")
    )
    counted: QuerySet[Any] = found.annotate(
        agents=Count("tree"),
        done=Count("tree", filter=Q(tree__status=SessionStatus.SUCCEEDED)),
        failed=Count("tree", filter=Q(tree__status__in=[SessionStatus.FAILED, SessionStatus.CANCELLED])),
        human=Count("tree", filter=Q(tree__status__in=statuses(Standing.HUMAN))),
        running=Count("tree", filter=Q(tree__status=SessionStatus.RUNNING)),
        spent=Coalesce(Subquery(cost), Decimal(0), output_field=_MONEY),
    ).order_by("-created_at")[:limit]
    made = [MissionLine(s, s.agents, s.done, s.failed, s.human, s.running, s.spent) for s in counted]
    return sorted(made, key=lambda line: (line.session.status in FINAL, not line.human))


def in_flight(project_id: UUID) -> int:
    """How many missions of a project still have something to do."""
    return AgentSession.objects.missions().filter(project_id=project_id, status__in=ACTIVE).count()


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent in the tree of its mission."""

    session: AgentSession
    standing: Standing
    waiting: Waiting | None
    lane: Lane
    cost: Decimal
    children: int
    setsize: int
    posinset: int

    @property
    def level(self) -> int:
        """How deep it stands; the mission's own agent is 1."""
        return len(self.session.path) + 1

    @property
    def since(self) -> datetime:
        """When its time began to count."""
        return self.session.started_at or self.session.created_at


@dataclass(frozen=True, slots=True)
class Tree:
    """A mission's agents, each before those below it."""

    rows: tuple[AgentRow, ...]
    shown: tuple[AgentRow, ...]
    start: datetime
    end: datetime | None
    cost: Decimal

    def row(self, session_id: UUID) -> AgentRow | None:
        """The row of an agent."""
        return next((row for row in self.rows if row.session.pk == session_id), None)

    @property
    def humans(self) -> int:
        """How many agents need a person."""
        return sum(row.standing is Standing.HUMAN for row in self.rows)

    @property
    def active(self) -> int:
        """How many agents still have something to do."""
        return sum(row.session.status in ACTIVE for row in self.rows)

    @property
    def done(self) -> int:
        """How many agents came to a result."""
        return sum(row.standing is Standing.DONE for row in self.rows)


MANY = 60  # agents from which on finished workers are left out unless somebody asks for them


def tree(mission: AgentSession, *, whole: bool = False) -> Tree:
    """A mission's agents with what they do, wait for, cost and did when. Seven queries, whatever their number."""
    found = list(AgentSession.objects.filter(root_id=mission.pk).defer("metadata").select_related("current_run"))
    waits = waiting(found)
    drawn = lanes.lanes(mission.pk)
    costs = dict(
        ModelCall.objects.filter(session__root_id=mission.pk)
        .values("session_id")
        .annotate(total=Sum("cost"))
        .values_list("session_id", "total")
    )
    below: dict[UUID | None, list[AgentSession]] = defaultdict(list)
    for session in sorted(found, key=lambda s: (s.created_at, s.position)):
        below[session.parent_id].append(session)
    rows = tuple(
        AgentRow(
            session,
            standing(session),
            waits.get(session.pk),
            drawn.get(session.pk, Lane()),
            costs.get(session.pk, Decimal(0)),
            len(below[session.pk]),
            setsize,
            posinset,
        )
        for session, setsize, posinset in _depth_first(below, None)
    )
    root = rows[0].session if rows else mission
    few = whole or len(rows) <= MANY
    shown = rows if few else tuple(row for row in rows if not _is_finished_worker(row))
    return Tree(rows, shown, root.created_at, root.finished_at, sum(costs.values(), Decimal(0)))


def _is_finished_worker(row: AgentRow) -> bool:
    return row.session.level == Level.WORKER and row.standing is Standing.DONE


def _depth_first(
    below: dict[UUID | None, list[AgentSession]], parent: UUID | None
) -> Iterator[tuple[AgentSession, int, int]]:
    siblings = below[parent]
    for position, session in enumerate(siblings, start=1):
        yield session, len(siblings), position
        yield from _depth_first(below, session.pk)


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls took. Tokens; dollars."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: Decimal


def usage(calls: QuerySet[ModelCall]) -> Usage:
    """The sum over some model calls. One query."""
    total = calls.aggregate(calls=Count("pk"), read=Sum("input_tokens"), written=Sum("output_tokens"), cost=Sum("cost"))
    return Usage(total["calls"], total["read"] or 0, total["written"] or 0, total["cost"] or Decimal(0))


def tool_calls(mission_id: UUID, *, limit: int = 100) -> Sequence[ToolExecution]:
    """A mission's tool calls, newest first. One query."""
    return list(
        ToolExecution.objects.filter(session__root_id=mission_id)
        .select_related("session", "answered_from__session")
        .order_by("-created_at")[:limit]
    )


@dataclass(frozen=True, slots=True)
class Tallies:
    """How much there is behind each tab."""

    messages: int
    tools: int


def tallies(mission_id: UUID) -> Tallies:
    """Two queries."""
    return Tallies(
        AgentMessage.objects.filter(session__root_id=mission_id).count(),
        ToolExecution.objects.filter(session__root_id=mission_id).count(),
    )
