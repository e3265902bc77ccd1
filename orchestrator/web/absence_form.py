"""The form of an absence: who, who stands in, from when, until when; times are UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agents.errors import InvalidInput

NAMES = ("user", "stand_in", "since", "until")
LONGEST_KEY = 100  # characters that name the press of a button


@dataclass(slots=True)
class AbsenceForm:
    """What was typed, and what is wrong with each field."""

    given: Mapping[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def sent(cls, form: Mapping[str, Any]) -> "AbsenceForm":
        """The form as it was sent."""
        return cls({name: str(form.get(name, "")) for name in (*NAMES, "key")})

    @property
    def fields(self) -> dict[str, dict[str, str]]:
        """For templates: what each holds, and what is wrong with it."""
        return {
            name: {
                "id": f"away-{name}",
                "path": name,
                "value": self.given.get(name, ""),
                "error": self.errors.get(name, ""),
            }
            for name in NAMES
        }

    @property
    def fault(self) -> str:
        """What is wrong with the whole."""
        return self.errors.get("", "")

    def read(self) -> dict[str, Any]:
        """What it says, for the action. Raises InvalidInput with a message for each field that cannot be read."""
        errors: dict[str, str] = {}
        found: dict[str, Any] = {"key": self.given.get("key", "")[:LONGEST_KEY]}
        for name, read in (("user", _person), ("stand_in", _person), ("since", _moment), ("until", _moment)):
            try:
                found[name] = read(self.given.get(name, "").strip())
            except ValueError as error:
                errors[name] = str(error)
        if not errors and found["stand_in"] is None:
            errors["stand_in"] = "Choose who stands in."
        if errors:
            raise InvalidInput("This cannot be read.", fields=errors)
        return {"person": found.pop("user"), **found}


def _person(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise ValueError("There is no such person in this project.") from None


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if text else None
        return at if at is None else at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("Write day and time as 2026-12-24T18:00.") from None
