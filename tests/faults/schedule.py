"""Which faults happen when: all of it follows from a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is done to the stack."""

    KILL_WORKERS = "kill -9 of the workers"
    KILL_COORDINATORS = "kill -9 of the coordinators"
    KILL_SECOND = "kill -9 of a second worker"
    KILL_SWEEPER = "kill -9 of the sweeper"
    KILL_BEAT = "kill -9 of beat"
    KILL_WEB = "kill -9 of Daphne"
    KILL_REDIS = "kill -9 of Redis"
    KILL_POSTGRES = "kill -9 of PostgreSQL"
    FREEZE_WORKERS = "workers frozen past their lease"
    FREEZE_SECOND = "second worker frozen past its lease"
    DROP_MESSAGES = "messages dropped"
    DOUBLE_MESSAGES = "messages doubled"
    FLUSH_REDIS = "Redis flushed"


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, and how many seconds after the one before it, or after the mission's start."""

    fault: Fault
    pause: float


class Schedule:
    """Deals faults to missions: each kind once, in random order, then each kind again."""

    def __init__(self, seed: int, *, pauses: tuple[float, float], kinds: Sequence[Fault] = tuple(Fault)) -> None:
        """`pauses`: the shortest and the longest between two faults, in seconds."""
        self._kinds = kinds
        self._chance = random.Random(seed)
        self._pauses = pauses
        self._deck = self._dealt()

    def _dealt(self) -> Iterator[Planned]:
        while True:
            for fault in self._chance.sample(self._kinds, len(self._kinds)):
                yield Planned(fault, self._chance.uniform(*self._pauses))

    def draw(self) -> Planned:
        """The next fault."""
        return next(self._deck)
