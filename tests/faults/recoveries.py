"""How long agents stand still after a fault: from the fault until the last that it hit runs again or rests."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from agents.lifecycle import SessionStatus
from agents.models import AgentSession
from tests.faults.schedule import Fault

HITS_RUNNING = {Fault.KILL_POSTGRES}
HITS_QUEUED = {Fault.KILL_REDIS, Fault.FLUSH_REDIS, Fault.DROP_MESSAGES}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stood when it was hit."""

    status: str
    attempt: int
    until: datetime | None

    def goes_on(self, now: "Standing") -> bool:
        """Does it run again, or rest, or has it ended?"""
        if now.status == SessionStatus.QUEUED:
            return False
        if now.status != SessionStatus.RUNNING or now.attempt > self.attempt:
            return True
        return self.until is not None and now.until is not None and now.until > self.until  # its worker lives


@dataclass(slots=True)
class Hit:
    """A fault, the sessions that it hit, and how long that took. Times are in seconds from the fault.

    `took` is None until all of it is over; `is_back` says whether what was killed runs again, which counts where no
    agent was hit.
    """

    fault: Fault
    began: float
    sessions: dict[UUID, Standing]
    is_back: Callable[[], bool]
    times: dict[UUID, float] = field(default_factory=dict)
    took: float | None = None

    def look(self) -> None:
        """Which agents go on? Is all of it over?"""
        now = standing(AgentSession.objects.filter(pk__in=self.sessions.keys() - self.times.keys()))
        seconds = time.monotonic() - self.began
        self.times |= {pk: seconds for pk, found in now.items() if self.sessions[pk].goes_on(found)}
        if len(self.times) == len(self.sessions) and (self.sessions or self.is_back()):
            self.took = seconds


def standing(found) -> dict[UUID, Standing]:
    """How sessions stand."""
    rows = found.values_list("pk", "status", "attempt", "lease__until")
    return {session: Standing(status, attempt, until) for session, status, attempt, until in rows}


def held_by(pid: int) -> dict[UUID, Standing]:
    """The sessions that a process runs; a lease that is renewed is renewed by another."""
    return standing(AgentSession.objects.filter(status="running", lease__holder__endswith=f":{pid}"))


def exposed_to(fault: Fault) -> dict[UUID, Standing]:
    """The sessions that a fault hits which is not one of a worker."""
    if fault in HITS_RUNNING:
        return standing(AgentSession.objects.filter(status=SessionStatus.RUNNING))
    if fault in HITS_QUEUED:
        return standing(AgentSession.objects.filter(status=SessionStatus.QUEUED))
    return {}


@dataclass(slots=True)
class Recoveries:
    """All hits of a run."""

    hits: list[Hit] = field(default_factory=list)

    def look(self) -> None:
        """Look at those that are not over."""
        for hit in self.open:
            hit.look()

    @property
    def open(self) -> list[Hit]:
        """Those that are not over."""
        return [hit for hit in self.hits if hit.took is None]
