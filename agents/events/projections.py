"""What the live tables should say by the events, and where they say something else."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Model, QuerySet

from agents.events.digests import json_digest
from agents.events.folds import State


@dataclass(frozen=True, slots=True)
class Expected:
    """A row as events tell it. `present` are columns that are not null; `also` is written where `columns` is.

    `digests` are those of columns whose content stands in no event.
    """

    aggregate_id: UUID
    model: type[Model]
    pk: UUID
    columns: Mapping[str, Any]
    present: tuple[str, ...] = ()
    also: Mapping[str, Any] = field(default_factory=dict)
    is_there: bool = True
    digests: Mapping[str, str] = field(default_factory=dict)


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
        """The live rows of a mission, or all, each with the `aggregate_id` of the events that should tell of it."""

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
        names = sorted({name for row in some for name in (*row.columns, *row.present, *row.digests)})
        manager = model._default_manager
        found = {row["pk"]: row for row in manager.filter(pk__in=[row.pk for row in some]).values("pk", *names)}
        for row in some:
            yield from _differences(row, found.get(row.pk))


def place_of(model: type[Model], pk: UUID, aggregate_id: UUID) -> str:
    """How words about a row of an aggregate begin: with its name, unless the aggregate is named after it."""
    return "" if pk == aggregate_id else f"{model._meta.verbose_name} {pk}: "


def _differences(row: Expected, found: Mapping[str, Any] | None) -> Iterator[Difference]:
    place = place_of(row.model, row.pk, row.aggregate_id)
    if found is not None and row.is_there:
        yield from (Difference(row.aggregate_id, f"{place}{words}") for words in _changes(row, found))
    elif row.is_there:
        yield Difference(row.aggregate_id, f"{place}the row is missing")
    elif found is not None:
        yield Difference(row.aggregate_id, f"{place}the row is there, by its events it is not")


def _changes(row: Expected, found: Mapping[str, Any]) -> Iterator[str]:
    for column, value in row.columns.items():
        if found[column] != value:
            yield f"{column} is {found[column]!s}, by its events {value!s}"
    for column, told in row.digests.items():
        if (kept := _digest(found[column])) != told:
            yield f"the digest of {column} is {kept}, by its events {told}"
    for column in row.present:
        if found[column] is None:
            yield f"{column} is not set, by its events it is"


def _digest(content: Any) -> str:
    try:
        return json_digest(content)
    except (TypeError, OverflowError):  # nobody can have told this
        return ""
