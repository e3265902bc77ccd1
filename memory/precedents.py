"""The decided requests of a project that are most like another one in meaning.

How near they are is compared with every precedent of the project where these are few, which is exact. Where they are
many, the index proposes candidates, which are compared exactly; it goes on until enough are the project's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from pgvector import Vector

from agents.lifecycle import ApprovalStatus
from memory.embedders import DIMENSION
from memory.models import Precedent
from memory.search import ASK_INDEX, MOST_COMPARED

LEAST = 0.45  # cosine; below it two requests share an office, not a concern
SAME_TOOL = 0.02  # what a request about the same tool is preferred by: see docs/benchmarks.md
CANDIDATES = 40  # that the index proposes
DECIDED = (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED, ApprovalStatus.ANSWERED)

_HALF = f"halfvec({DIMENSION})"
_WHERE = "p.project_id = %(project)s AND p.decided_at IS NOT NULL AND p.embedder = %(embedder)s"
_COUNT = f"SELECT count(*) FROM (SELECT FROM approval_precedents p WHERE {_WHERE} LIMIT %(most)s) AS few"  # noqa: S608
_EVERY = f"SELECT p.* FROM approval_precedents p WHERE {_WHERE}"  # noqa: S608  # made of constants
_CHOSEN = "SELECT p.* FROM approval_precedents p WHERE p.approval_id = ANY(%(chosen)s)"
_PROPOSED = f"""
SELECT p.approval_id FROM approval_precedents p WHERE {_WHERE}
ORDER BY p.vector::{_HALF} <=> %(vector)s::{_HALF} LIMIT %(candidates)s"""  # noqa: S608  # made of constants

# A decision may have been found not to hold since it became a precedent: the request itself says.
_NEAREST = """
WITH compared AS MATERIALIZED (
    SELECT p.approval_id, p.tool_name, 1 - (p.vector <=> %(vector)s::vector) AS likeness FROM ({source}) AS p
    WHERE p.approval_id <> %(approval)s
)
SELECT c.approval_id, c.likeness FROM compared c JOIN approvals a USING (approval_id)
WHERE c.likeness >= %(least)s AND a.status = ANY(%(decided)s) AND a.dispatched_at IS NOT NULL
ORDER BY c.likeness + CASE WHEN c.tool_name = %(tool)s THEN %(same_tool)s ELSE 0 END DESC, a.decided_at DESC,
    c.approval_id
LIMIT %(limit)s"""


@dataclass(frozen=True, slots=True)
class Hit:
    """A decided request, and how like it is: a cosine."""

    approval_id: UUID
    likeness: float


def vector_of(approval_id: UUID) -> Precedent | None:
    """The meaning of a request with its vector; None where that has not been made yet."""
    return Precedent.objects.filter(pk=approval_id, vector__isnull=False).first()


def alike(asked: Precedent, limit: int, *, most: int = MOST_COMPARED) -> list[Hit]:
    """The decided requests of its project that are most like a request; equals of the same tool come first.

    Below `LEAST` nothing is like another. Up to `most` are compared, of more the index proposes some. Two queries; with
    the index four.
    """
    given = {
        "project": asked.project_id,
        "embedder": asked.embedder,
        "approval": asked.approval_id,
        "tool": asked.tool_name,
        "vector": Vector(asked.vector).to_text(),
        "least": LEAST,
        "same_tool": SAME_TOOL if asked.tool_name else 0.0,
        "decided": [str(status) for status in DECIDED],
        "limit": limit,
        "candidates": max(CANDIDATES, 8 * limit),
        "most": most + 1,
    }
    ((count,),) = _rows(_COUNT, given)
    chosen = _proposed(given) if count > most else []
    # Where what is the project's lies far from what is looked for, the index gives up before it has met enough.
    is_enough = len(chosen) == given["candidates"]
    rows = _rows(_NEAREST.format(source=_CHOSEN if is_enough else _EVERY), {**given, "chosen": chosen})
    return [Hit(*row) for row in rows]


def _proposed(given: dict[str, Any]) -> list[UUID]:
    with transaction.atomic():
        _rows(ASK_INDEX, {})
        return [row[0] for row in _rows(_PROPOSED, given)]


def _rows(sql: str, given: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
