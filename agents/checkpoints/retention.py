"""Which states of a session stay."""

from dataclasses import dataclass
from datetime import timedelta

MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """The `newest` states of each namespace stay, and all that are younger than `days`.

    So do those that must: with a name, with a question that nobody has answered yet, with something that goes back
    to them. Raises ValueError for what makes no sense.
    """

    newest: int = 10
    days: float = 30

    def __post_init__(self) -> None:
        if type(self.newest) is not int or self.newest < 1:
            raise ValueError(f"at least the newest state stays, so newest is 1 or more, not {self.newest!r}")
        if type(self.days) not in (int, float) or not 0 <= self.days <= MOST_DAYS:
            raise ValueError(f"days are 0 to {MOST_DAYS}, not {self.days!r}")

    @property
    def age(self) -> timedelta:
        """Younger states stay."""
        return timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Freed:
    """What was deleted: how many values, and the bytes of their bodies."""

    values: int = 0
    bytes: int = 0
