"""What an action on several agents came to, for each of them."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Outcome:
    """What it came to for one agent. `is_done`: it was done. `is_later`: from its next step on; else at once.

    `why` says in words why it was not done.
    """

    session_id: UUID
    name: str
    is_done: bool
    is_later: bool = False
    why: str = ""


class Decided(StrEnum):
    """What became of one request of many that were decided together."""

    DONE = "done"
    COUNTED = "counted"  # others must approve it, too
    CHANGED = "changed"  # it is not what was seen
    TAKEN = "taken"  # somebody was first
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class DecisionOutcome:
    """What became of one request of many. `why` says in words why it was not decided."""

    approval_id: UUID
    title: str
    result: Decided
    why: str = ""
