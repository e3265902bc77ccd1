"""The form of a mission's limits: its deadline and its budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from agents.errors import InvalidInput
from agents.graphs.ports import Limits
from agents.selectors.budgets import BudgetLine

_MOST = {"cost": 10**7, "deadline": 525_600}  # dollars, minutes
_MOST_ELSE = 10**12
_LABELS = {
    "tokens": ("Tokens", "1"),
    "cost": ("Dollars", "0.01"),
    "seconds": ("Seconds of work", "1"),
    "steps": ("Steps", "1"),
    "children": ("Agents started", "1"),
}
NAMES = (*_LABELS, "deadline")


@dataclass(frozen=True, slots=True)
class Field:
    """A number in the form. `value` and `error` are as they were sent."""

    name: str
    label: str
    step: str
    value: str
    error: str = ""


def fields(given: Mapping[str, str], errors: Mapping[str, str]) -> list[Field]:
    """The budget's fields as they were sent."""
    return [
        Field(name, label, step, given.get(name, ""), errors.get(name, "")) for name, (label, step) in _LABELS.items()
    ]


def fields_of(lines: list[BudgetLine]) -> list[Field]:
    """The budget's fields with what holds now."""
    return fields({line.name: _shown(line.limit) for line in lines}, {})


def _shown(limit: Any) -> str:
    if limit is None:
        return ""
    return f"{limit.normalize():f}" if isinstance(limit, Decimal) else str(limit)


def read(form: Mapping[str, str]) -> tuple[Limits, float | None]:
    """The limits and the minutes to the deadline that a form names; empty is none. Raises InvalidInput by field."""
    errors: dict[str, str] = {}
    found: dict[str, Any] = {}
    for name in NAMES:
        text = form.get(name, "").strip()
        if not text:
            continue
        try:
            number = Decimal(text)
            is_sound = (
                number.is_finite()
                and 0 <= number <= _MOST.get(name, _MOST_ELSE)
                and (name in {"cost", "deadline"} or number % 1 == 0)
            )
        except InvalidOperation:
            is_sound = False
        if not is_sound:
            errors[name] = "This is no number that can be a limit."
        else:
            found[name] = number if name in {"cost", "deadline"} else int(number)
    if errors:
        raise InvalidInput("These limits make no sense.", fields=errors)
    minutes = found.pop("deadline", None)
    return Limits(**found), None if minutes is None else float(minutes)
