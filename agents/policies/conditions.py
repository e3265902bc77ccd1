"""When a rule applies: conditions on a call, all of which must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache, cached_property
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from agents.lifecycle import Risk
from agents.policies.parts import parts
from agents.roles import Level
from agents.storable import is_finite, is_same, is_storable

LONGEST = 200  # characters of a name, a pattern or a path
MOST = 50  # of one kind in a rule


class Part(BaseModel):
    """Base of the parts of a policy: what is unknown is an error, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions look at. `at` has a time zone; `cost` is the tool's estimate, in dollars."""

    tool: str
    risk: Risk
    level: Level
    agent_type: str
    arguments: dict[str, Any]
    at: datetime
    cost: Decimal = Decimal(0)


class Comparison(StrEnum):
    """How an argument is held against a value."""

    EQUALS = "equals"
    DIFFERS = "differs"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    LIKE = "like"
    UNLIKE = "unlike"
    CONTAINS = "contains"
    MORE_THAN = "more_than"
    AT_LEAST = "at_least"
    LESS_THAN = "less_than"
    AT_MOST = "at_most"
    PRESENT = "present"
    ABSENT = "absent"


_ORDERED = {Comparison.MORE_THAN, Comparison.AT_LEAST, Comparison.LESS_THAN, Comparison.AT_MOST}
_LISTED = {Comparison.ONE_OF, Comparison.NONE_OF}
_PATTERNS = {Comparison.LIKE, Comparison.UNLIKE}
_BARE = {Comparison.PRESENT, Comparison.ABSENT}
_OF_ALL = {Comparison.DIFFERS, Comparison.NONE_OF, Comparison.UNLIKE, Comparison.ABSENT}  # no part may break them


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("it has a character that cannot be stored")
    return text


Storable = AfterValidator(_storable)
Name = Annotated[str, Field(min_length=1, max_length=LONGEST), Storable]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST)]


class Argument(Part):
    """A condition on an argument: `at` names it as `agents.policies.parts` says.

    Where a path names several parts, one of them is enough; `differs`, `none_of` and `unlike` must hold for each.
    """

    at: Name
    comparison: Comparison
    value: JsonValue = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """The value is of the kind that the comparison needs."""
        value = self.value
        if self.comparison in _ORDERED and not _is_number(value):
            raise ValueError(f"“{self.comparison}” needs a number")
        if self.comparison in _LISTED and not (isinstance(value, list) and 0 < len(value) <= MOST):
            raise ValueError(f"“{self.comparison}” needs a list of 1 to {MOST} values")
        if self.comparison in _PATTERNS and not (isinstance(value, str) and 0 < len(value) <= LONGEST):
            raise ValueError(f"“{self.comparison}” needs a pattern of 1 to {LONGEST} characters")
        if self.comparison in _BARE and value is not None:
            raise ValueError(f"“{self.comparison}” needs no value")
        if not is_storable(value):
            raise ValueError("it has a character that cannot be stored")
        if not is_finite(value):
            raise ValueError("it has a number that is none")
        return self

    def holds(self, arguments: dict[str, Any]) -> bool:
        """Does it hold for these arguments?"""
        found = list(parts(arguments, self.at))
        if self.comparison in _BARE:
            return bool(found) == (self.comparison is Comparison.PRESENT)
        holds = _HOLDS[self.comparison]
        held = [holds(one, self.value) for one in found]
        return all(held) if self.comparison in _OF_ALL else any(held)


class Day(StrEnum):
    """A day of the week."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


_DAYS = list(Day)


@cache
def _zones() -> frozenset[str]:
    """Read from many files, so only once: each call of a tool reads a policy."""
    return frozenset(available_timezones())


class Hours(Part):
    """A time of day on some days, in a time zone; until an earlier hour than it begins: into the next day."""

    since: time = time(0)
    until: time = time(0)
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = tuple(Day)
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        if zone not in _zones():
            raise ValueError(f"there is no time zone {zone!r}")
        return zone

    @field_validator("since", "until")
    @classmethod
    def _is_bare(cls, clock: time) -> time:
        """One with an offset of its own could not be held against the clock of a zone."""
        if clock.tzinfo is not None:
            raise ValueError("write the time alone, such as 18:00, and where that is under zone")
        return clock

    @cached_property
    def _tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def holds(self, at: datetime) -> bool:
        """Is it that time? The night belongs to the day on which it begins."""
        local = at.astimezone(self._tz)
        clock, today = local.time(), _DAYS[local.weekday()]
        if self.since < self.until:
            return today in self.days and self.since <= clock < self.until
        yesterday = _DAYS[local.weekday() - 1]
        return (today in self.days and clock >= self.since) or (yesterday in self.days and clock < self.until)


class Conditions(Part):
    """All that must hold of a call; what is left out may be anything. Names are patterns, `pay_*`."""

    tools: Names = ()
    risks: Annotated[tuple[Risk, ...], Field(max_length=len(Risk))] = ()
    levels: Annotated[tuple[Level, ...], Field(max_length=len(Level))] = ()
    agents: Names = ()
    arguments: Annotated[tuple[Argument, ...], Field(max_length=MOST)] = ()
    cost_at_least: Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=6)] | None = None
    hours: Hours | None = None

    def hold(self, facts: Facts) -> bool:
        """Do they hold for the call?"""
        return (
            _is_named(facts.tool, self.tools)
            and (not self.risks or facts.risk in self.risks)
            and (not self.levels or facts.level in self.levels)
            and _is_named(facts.agent_type, self.agents)
            and (self.cost_at_least is None or facts.cost >= self.cost_at_least)
            and (self.hours is None or self.hours.holds(facts.at))
            and all(argument.holds(facts.arguments) for argument in self.arguments)
        )


def _is_named(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(one: Any, value: Any) -> bool:
    if isinstance(one, str):
        return isinstance(value, str) and value in one
    if isinstance(one, list):
        return any(is_same(each, value) for each in one)
    return isinstance(one, dict) and isinstance(value, str) and value in one


def _is_like(one: Any, pattern: str) -> bool:
    return isinstance(one, str) and fnmatchcase(one, pattern)


_HOLDS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.EQUALS: is_same,
    Comparison.DIFFERS: lambda one, value: not is_same(one, value),
    Comparison.ONE_OF: lambda one, value: any(is_same(one, each) for each in value),
    Comparison.NONE_OF: lambda one, value: not any(is_same(one, each) for each in value),
    Comparison.LIKE: _is_like,
    Comparison.UNLIKE: lambda one, pattern: not _is_like(one, pattern),
    Comparison.CONTAINS: _contains,
    Comparison.MORE_THAN: lambda one, value: _is_number(one) and one > value,
    Comparison.AT_LEAST: lambda one, value: _is_number(one) and one >= value,
    Comparison.LESS_THAN: lambda one, value: _is_number(one) and one < value,
    Comparison.AT_MOST: lambda one, value: _is_number(one) and one <= value,
}
