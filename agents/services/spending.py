"""What agents spend: each counts in a row of its own, so that none waits for another."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from agents.graphs.ports import Limits
from agents.models import AgentSession

_COUNT = """
INSERT INTO agent_spending (session_id, tokens, cost, milliseconds, steps, children)
VALUES (%(session)s, %(tokens)s, %(cost)s, %(milliseconds)s, %(steps)s, %(children)s)
ON CONFLICT (session_id) DO UPDATE SET tokens = agent_spending.tokens + excluded.tokens,
    cost = agent_spending.cost + excluded.cost, milliseconds = agent_spending.milliseconds + excluded.milliseconds,
    steps = agent_spending.steps + excluded.steps, children = agent_spending.children + excluded.children"""
_SPENT = """
SELECT coalesce(sum(tokens), 0), coalesce(sum(cost), 0), coalesce(sum(milliseconds), 0) / 1000,
       coalesce(sum(steps), 0), coalesce(sum(children), 0)
FROM agent_sessions s JOIN agent_spending p USING (session_id)
WHERE s.root_id = %(root)s AND (s.session_id = %(holder)s OR s.path @> ARRAY[%(holder)s::uuid])"""

_TIGHT = """
SELECT b.session_id FROM agent_budgets b, LATERAL (
    SELECT sum(tokens) AS tokens, sum(cost) AS cost, sum(milliseconds) AS milliseconds, sum(steps) AS steps,
           coalesce(sum(children), 0) AS children
    FROM agent_sessions s JOIN agent_spending p USING (session_id)
    WHERE s.root_id = %(root)s AND (s.session_id = b.session_id OR s.path @> ARRAY[b.session_id])
) spent
WHERE b.session_id = ANY(%(holders)s)
  AND (spent.tokens >= %(share)s * b.tokens OR spent.cost >= %(share)s * b.cost OR spent.steps >= %(share)s * b.steps
       OR spent.milliseconds >= %(share)s * 1000 * b.seconds
       OR spent.children + %(children)s >= %(share)s * b.children)"""


def count(session_id: UUID, **spent: Any) -> None:
    """Add to what an agent has spent: tokens, cost, milliseconds, steps, children."""
    none = {"tokens": 0, "cost": 0, "milliseconds": 0, "steps": 0, "children": 0}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {**none, **spent, "session": session_id})


def below(session: AgentSession) -> Limits:
    """What an agent and all below it have spent. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_SPENT, {"root": session.root_id, "holder": session.pk})
        tokens, cost, seconds, steps, children = cursor.fetchone()
    return Limits(int(tokens), Decimal(cost), int(seconds), int(steps), int(children))


def tight(session: AgentSession, share: Decimal, *, children: int) -> list[UUID]:
    """Whose budgets hold this session and have no more than a rest: of some limit at least `share` is spent.

    As if so many more `children` had been started. One query.
    """
    holders = [*session.path, session.pk]
    with connection.cursor() as cursor:
        cursor.execute(_TIGHT, {"root": session.root_id, "holders": holders, "share": share, "children": children})
        return [row[0] for row in cursor.fetchall()]
