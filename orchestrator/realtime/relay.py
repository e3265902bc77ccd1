"""Sends what was committed but never reached the live feed: Redis was away, or a process died in between."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from redis.exceptions import RedisError

from orchestrator.realtime import feed
from orchestrator.realtime.feed import Fact

WINDOW = 60  # seconds back; pages that missed more than this have reloaded long since
GRACE = 2  # seconds in which whoever committed sends by itself
CLOCK_SLACK = 10  # seconds that the database's and Redis's clocks may differ

# xid8 orders by transaction; below the snapshot's xmin nothing can commit any more, so no late event is skipped
_COMMITTED = """
    SELECT project_id, event_type, aggregate_type, aggregate_id, correlation_id, event_id, timestamp,
           transaction_id::text::bigint, timestamp < clock_timestamp() - make_interval(secs => %s)
    FROM agent_events
    WHERE transaction_id > %s::text::xid8
      AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
      AND timestamp > clock_timestamp() - make_interval(secs => %s)
    ORDER BY transaction_id, version
"""


class _Row(NamedTuple):
    project_id: UUID
    event_type: str
    aggregate_type: str
    aggregate_id: UUID
    correlation_id: UUID
    event_id: UUID
    timestamp: datetime
    transaction: int
    is_due: bool

    def fact(self) -> Fact:
        return Fact(
            self.event_type,
            f"{self.aggregate_type}:{self.aggregate_id}",
            str(self.correlation_id),
            str(self.event_id),
        )


class Relay:
    """Remembers how far it has looked; one a process, asked again and again."""

    def __init__(self) -> None:
        self._seen_to = 0

    def run(self) -> int:
        """Look at the events since the last call and send those that no stream has. How many were sent.

        What happens while Redis is away is looked at again in the next call.
        """
        rows = self._committed()
        if not rows:
            return 0
        by_project: dict[UUID, list[_Row]] = defaultdict(list)
        for row in rows:
            by_project[row.project_id].append(row)
        try:
            missing = [row for project, some in by_project.items() for row in _missing(project, some)]
        except (RedisError, OSError):
            return 0
        if missing and not feed.publish((row.project_id, row.fact()) for row in missing):
            return 0
        self._seen_to = rows[-1].transaction
        return len(missing)

    def _committed(self) -> list[_Row]:
        with connection.cursor() as cursor:
            cursor.execute(_COMMITTED, [GRACE, str(self._seen_to), WINDOW])
            rows = [_Row(*row) for row in cursor.fetchall()]
        # what is behind the first that is not due waits too, or that one would be skipped for good
        young = next((row.transaction for row in rows if not row.is_due), None)
        return [row for row in rows if young is None or row.transaction < young]


def _missing(project_id: UUID, rows: list[_Row]) -> list[_Row]:
    since = min(row.timestamp for row in rows).astimezone(UTC).timestamp() - CLOCK_SLACK
    entries = feed.connection().xrange(feed.stream(project_id), min=f"{int(since * 1000)}-0")
    sent = {fields["e"] for _, fields in entries}  # type: ignore[union-attr]  # sync client, typed for both
    return [row for row in rows if str(row.event_id) not in sent]
