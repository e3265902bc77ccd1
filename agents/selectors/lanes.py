"""What each agent did when: spans of time from the events of a mission."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models.fields.json import KeyTextTransform

from agents.events import rows
from agents.lifecycle import FINAL, SessionStatus
from agents.models import AgentEvent, AgentState
from agents.selectors.standing import STANDING, Standing

_MOVES = ("session.created", "session.moved")
MAX_TICKS = 60  # checkpoints drawn on one lane


@dataclass(frozen=True, slots=True)
class Span:
    """An agent stood so from `start` to `end`; None: it still does. `failed`: the work ended in a failure."""

    standing: Standing
    start: datetime
    end: datetime | None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """One agent's time."""

    spans: tuple[Span, ...] = ()
    ticks: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class _Move:
    status: SessionStatus
    at: datetime
    cause: str


def lanes(mission_id: UUID) -> dict[UUID, Lane]:
    """The lane of each agent of a mission. Three queries."""
    moves: dict[UUID, list[_Move]] = defaultdict(list)
    for row in rows.archived(mission_id, _MOVES):
        status = SessionStatus(row.data["status"])
        moves[row.aggregate_id].append(_Move(status, row.at, row.data.get("cause", "")))
    found = (
        AgentEvent.objects.filter(correlation_id=mission_id, event_type__in=_MOVES)
        .order_by("aggregate_id", "version")
        .values_list(
            "aggregate_id",
            "timestamp",
            KeyTextTransform("status", "event_data"),
            KeyTextTransform("cause", "event_data"),
        )
    )
    for session_id, at, status, cause in found:
        moves[session_id].append(_Move(SessionStatus(status), at, cause or ""))
    ticks: dict[UUID, list[datetime]] = defaultdict(list)
    saved = AgentState.objects.filter(session__root_id=mission_id, checkpoint_ns="").order_by("created_at")
    for session_id, at in saved.values_list("session_id", "created_at"):
        ticks[session_id].append(at)
    return {pk: Lane(_spans(some), tuple(ticks[pk][-MAX_TICKS:])) for pk, some in moves.items()}


def _spans(moves: Sequence[_Move]) -> tuple[Span, ...]:
    spans = []
    for move, after in zip(moves, [*moves[1:], None], strict=True):
        if move.status in FINAL:
            continue
        failed = move.status is SessionStatus.RUNNING and after is not None and _is_failure(after)
        spans.append(Span(STANDING[move.status], move.at, after.at if after else None, failed))
    return tuple(spans)


def _is_failure(after: _Move) -> bool:
    return after.status is SessionStatus.FAILED or after.cause == "lease_expired"
