"""Results that are kept to answer equal work: bounded in time, size and number."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import F
from django.utils import timezone

from agents.events.digests import digest
from agents.ids import new_id
from agents.lifecycle import ReuseKind
from agents.models import KeptResult

LARGEST = 256 * 1024  # bytes of a result that is kept

# The latest result of a key is the one that is kept.
KEEP = """
INSERT INTO kept_results (result_id, project_id, kind, key, name, result, origin_id, tokens, cost, expires_at)
VALUES (%(result_id)s, %(project_id)s, %(kind)s, %(key)s, %(name)s, %(result)s::jsonb, %(origin_id)s, %(tokens)s,
        %(cost)s, now() + make_interval(secs => %(life)s))
ON CONFLICT (project_id, key) DO UPDATE
    SET result = excluded.result, origin_id = excluded.origin_id, tokens = excluded.tokens, cost = excluded.cost,
        created_at = statement_timestamp(), used_at = statement_timestamp(), expires_at = excluded.expires_at"""
EXCESS = """
DELETE FROM kept_results WHERE expires_at <= now() OR result_id IN (
    SELECT result_id FROM (
        SELECT result_id, row_number() OVER (PARTITION BY project_id ORDER BY used_at DESC) AS place FROM kept_results
    ) placed WHERE place > %s)"""


@dataclass(frozen=True, slots=True)
class Work:
    """What a result depends on, in one project. `name` is the tool or model, for people."""

    project_id: UUID
    kind: ReuseKind
    name: str
    inputs: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The same for equal work."""
        return digest({"kind": str(self.kind), "name": self.name, "inputs": self.inputs})


def find(work: Work) -> KeptResult | None:
    """The kept result of equal work, which counts as used; None without one, or once it is too old."""
    now = timezone.now()
    found = KeptResult.objects.filter(project_id=work.project_id, key=work.key, expires_at__gt=now)
    if not found.update(hits=F("hits") + 1, used_at=now):
        return None
    return found.first()


def keep(
    work: Work, result: Any, *, origin_id: UUID, life: timedelta, tokens: int = 0, cost: Decimal = Decimal(0)
) -> bool:
    """Keep the result that the call `origin_id` had. False when it is too large."""
    body = orjson.dumps(result)
    if len(body) > LARGEST or b"\\u0000" in body:  # which jsonb does not take
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            KEEP,
            {
                "result_id": new_id(),
                "project_id": work.project_id,
                "kind": str(work.kind),
                "key": work.key,
                "name": work.name,
                "result": body.decode(),
                "origin_id": origin_id,
                "tokens": tokens,
                "cost": cost,
                "life": life.total_seconds(),
            },
        )
    return True


def forget_excess(most: int) -> int:
    """Drop what is too old, and of each project what was used longest ago beyond `most` results; how many."""
    with connection.cursor() as cursor:
        cursor.execute(EXCESS, [most])
        return int(cursor.rowcount)
