"""What an action on several agents came to, for each of them."""

from dataclasses import dataclass
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
