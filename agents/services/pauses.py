"""Pauses between the tries of one call, kept on the run: tries are counted over all attempts that make them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agents.lifecycle import RunStatus
from agents.models import AgentRun, AgentSession
from agents.services import deadlines


@dataclass(frozen=True, slots=True)
class Pause:
    """How often a call was tried, for how many seconds it rested in all, and until when it rests now.

    `until` is by the database's clock. `has_turn`: what it rests for is its turn by rate, which it has taken.
    """

    tries: int = 0
    rested: float = 0.0
    until: datetime | None = None
    has_turn: bool = False

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Pause":
        """As the run keeps it."""
        until = datetime.fromisoformat(kept["until"]) if kept["until"] else None
        return cls(kept["tries"], kept["rested"], until, kept["has_turn"])

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tries": self.tries,
            "rested": self.rested,
            "until": self.until.isoformat() if self.until else None,
            "has_turn": self.has_turn,
        }

    def left(self) -> float:
        """Seconds until it is over; negative is how long it has been."""
        return (self.until - deadlines.moment(0)).total_seconds() if self.until else 0.0


def begin(session: AgentSession, key: str, pause: Pause, seconds: float) -> Pause:
    """A call of a locked session rests for `seconds` from now: the pause with its end."""
    begun = replace(pause, until=deadlines.moment(seconds))
    run = _run(session)
    run.pauses[key] = begun.kept()
    run.save(update_fields=["pauses"])
    return begun


def end(session: AgentSession, key: str) -> None:
    """A call of a locked session has ended: its next one is tried as often again."""
    run = _run(session)
    if run.pauses.pop(key, None) is not None:
        run.save(update_fields=["pauses"])


def _run(session: AgentSession) -> AgentRun:
    return AgentRun.objects.only("pauses").get(session=session, status=RunStatus.ACTIVE)
