"""The publishing side: after a commit, facts go to one trimmed Redis stream per project.

A fact carries ids and statuses only. Redis is never in the way of a commit: whatever it does, publishing returns,
and the relay sends later what was not sent.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from redis.exceptions import RedisError

from agents.events.store import Recorded
from orchestrator.shared import Pause
from orchestrator.shared import connection as connection  # where the relay and the pages' hub look for it

logger = logging.getLogger(__name__)

KEPT = 10_000  # facts a stream keeps, about: minutes of a busy project
START = "0-0"  # the cursor before any fact


@dataclass(frozen=True, slots=True)
class Fact:
    """Something happened: an event's type and id, what it happened to as type:id, and the mission it is part of."""

    type: str
    key: str
    mission: str
    event: str

    def fields(self) -> dict[str, str]:
        """As an entry of a stream."""
        return {"t": self.type, "k": self.key, "m": self.mission, "e": self.event}


def from_fields(fields: Mapping[str, str]) -> Fact:
    """The fact in an entry of a stream."""
    return Fact(fields["t"], fields["k"], fields["m"], fields["e"])


def stream(project_id: UUID) -> str:
    """Name of a project's stream."""
    return f"queenright:live:{project_id}"


_pause = Pause()


def publish(facts: Iterable[tuple[UUID, Fact]]) -> bool:
    """Add facts, each with its project, to the streams. False when Redis did not take them; never raises for it."""
    if _pause.is_on():
        return False
    try:
        pipeline = connection().pipeline(transaction=False)
        for project_id, fact in facts:
            pipeline.xadd(stream(project_id), fact.fields(), maxlen=KEPT, approximate=True)  # type: ignore[arg-type]
        pipeline.execute()
    except (RedisError, OSError) as error:
        _pause.begin()
        logger.warning("live feed: not sent, the relay will: %s", error)
        return False
    return True


def announce(recorded: Sequence[Recorded]) -> None:
    """Tell the pages of a commit's events. Called by the event store after the commit."""
    publish(
        (
            one.project_id,
            Fact(
                one.event.event_type,
                f"{one.event.aggregate_type}:{one.aggregate_id}",
                str(one.mission_id),
                str(one.event_id),
            ),
        )
        for one in recorded
    )


def announce_letters(project_ids: Sequence[UUID]) -> None:
    """Tell the pages of these projects that a dead letter came or was settled."""
    publish((project_id, Fact("letter.changed", "letter", "", "")) for project_id in project_ids)


def cursor(project_id: UUID) -> str:
    """Id of the project's latest fact: what a page that is rendered now already shows."""
    if _pause.is_on():
        return START
    try:
        latest = connection().xrevrange(stream(project_id), count=1)
    except (RedisError, OSError):
        _pause.begin()
        return START
    return str(latest[0][0]) if latest else START  # type: ignore[index]  # sync client, typed for both
