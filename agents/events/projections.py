"""What the live tables should say by the events, and where they say something else."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Model, QuerySet

from agents.events.folds import State


@dataclass(frozen=True, slots=True)
class Expected:
    """A row as events tell it. `present` are columns that are not null; `also` is written where `columns` is."""

    aggregate_id: UUID
    model: type[Model]
    pk: UUID
    columns: Mapping[str, Any]
    present: tuple[str, ...] = ()
    also: Mapping[str, Any] = field(default_factory=dict)
    is_there: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not as events tell it, in words that stand after the name of its aggregate."""

    aggregate_id: UUID
    words: str


class Projection(Protocol):
    """How the events of one type of aggregate show in the live tables."""

    aggregate_type: str

    def rows(self, aggregate_id: UUID, state: Any) -> Iterator[Expected]:
        """The rows that the state of an aggregate shows in. Pure."""

    def untold(self, states: Mapping[UUID, Any]) -> Iterator[Difference]:
        """Rows of these aggregates that no event tells of."""

    def live(self, mission_id: UUID | None) -> QuerySet[Any]:
        """Ids of the aggregates of a mission, or of all, by the live rows."""

    def mend(self, aggregate_id: UUID, state: Any) -> None:
        """See to what must be so beside the rows, after they were written back."""


def differences(projection: Projection, states: Mapping[UUID, State]) -> Iterator[Difference]:
    """Where the live tables say something else than these states. A query a table."""
    expected = [row for aggregate_id, state in states.items() for row in projection.rows(aggregate_id, state)]
    yield from compared(expected)
    yield from projection.untold(states)


def compared(expected: Iterable[Expected]) -> Iterator[Difference]:
    """The rows that are not as expected."""
    by_model: dict[type[Model], list[Expected]] = defaultdict(list)
    for row in expected:
        by_model[row.model].append(row)
    for model, some in by_model.items():
        names = sorted({name for row in some for name in (*row.columns, *row.present)})
        manager = model._default_manager
        found = {row["pk"]: row for row in manager.filter(pk__in=[row.pk for row in some]).values("pk", *names)}
        for row in some:
            yield from _differences(row, found.get(row.pk))


def _differences(row: Expected, found: Mapping[str, Any] | None) -> Iterator[Difference]:
    name = str(row.model._meta.verbose_name)
    place = "" if row.pk == row.aggregate_id else f"{name} {row.pk}: "
    if found is None or not row.is_there:
        if row.is_there:
            yield Difference(row.aggregate_id, f"{place}the row is missing")
        elif found is not None:
            yield Difference(row.aggregate_id, f"{place}the row is there, by its events it is not")
        return
    for column, value in row.columns.items():
        if found[column] != value:
            yield Difference(row.aggregate_id, f"{place}{column} is {found[column]!s}, by its events {value!s}")
    for column in row.present:
        if found[column] is None:
            yield Difference(row.aggregate_id, f"{place}{column} is not set, by its events it is")
