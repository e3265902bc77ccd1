"""How much work each level has: what an autoscaler needs to know."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from agents.roles import Level

# Of a project that is full, more workers would take nothing: what waits there asks for none.
DEMAND = """
WITH standing AS (
    SELECT project_id, level, status, moved_at, coalesce(max_running, %(max_running)s) AS most,
           sum((status = 'running')::int) OVER (PARTITION BY project_id) AS running_there,
           sum((status = 'queued')::int) OVER (PARTITION BY project_id
               ORDER BY (status = 'queued') DESC, priority DESC, moved_at, session_id) AS place
    FROM agent_sessions JOIN projects USING (project_id) WHERE status IN ('queued', 'running')
)
SELECT level,
       count(*) FILTER (WHERE status = 'running'),
       count(*) FILTER (WHERE status = 'queued'),
       count(*) FILTER (WHERE status = 'queued' AND moved_at < now() - make_interval(secs => %(patience)s)
                        AND place <= most - running_there),
       coalesce(extract(epoch FROM now() - min(moved_at) FILTER (WHERE status = 'queued')), 0)::float
FROM standing GROUP BY level
"""


@dataclass(frozen=True, slots=True)
class Demand:
    """One level: agents that run, that are queued, that could run and have waited too long; seconds of the oldest."""

    level: Level
    running: int
    queued: int
    overdue: int
    oldest_seconds: float

    def processes(self, threads: int) -> int:
        """How many worker processes of so many threads it wants: a thread for each that runs or is overdue.

        One at least while anything is queued, none where there is nothing to do.
        """
        wanted = max(self.running + self.overdue, min(self.queued, 1))
        return -(-wanted // threads)


def demand(*, patience: timedelta, max_running: int) -> list[Demand]:
    """All levels, over all projects. One query.

    `patience`: how long one may be queued; `max_running`: of a project that has no limit of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute(DEMAND, {"patience": patience.total_seconds(), "max_running": max_running})
        found = {row[0]: row for row in cursor.fetchall()}
    return [Demand(level, *found[level][1:]) if level in found else Demand(level, 0, 0, 0, 0.0) for level in Level]
