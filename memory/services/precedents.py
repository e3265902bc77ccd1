"""Meanings of requests: made in the background, once each, and taken for precedents once their decisions hold."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from agents.models import Approval
from agents.schemas import secrets
from memory import embedders, meanings
from memory.models import Precedent
from memory.precedents import DECIDED

BATCH = 32
MOST = 256  # in one round
RECENT = "1 hour"
EVER = "1000 years"
CLAIM = "1 minute"  # after which a request is taken up again whose embedding never came

# Open requests, those that were decided lately (a rule decides before anybody could look), and those whose worker died.
# Decided ones are found by project and tool, for which there is an index. OFFSET keeps the planner from reading whole
# tables, which it takes for quicker while they are small.
_CLAIM = """
WITH RECURSIVE tools AS (
    (SELECT project_id, tool_name FROM approvals ORDER BY project_id, tool_name LIMIT 1)
    UNION ALL
    SELECT following.* FROM tools, LATERAL (
        SELECT a.project_id, a.tool_name FROM approvals a
        WHERE (a.project_id, a.tool_name) > (tools.project_id, tools.tool_name)
        ORDER BY a.project_id, a.tool_name LIMIT 1) AS following
), due AS (
    (SELECT a.approval_id, a.project_id, a.tool_name FROM approvals a
     WHERE a.status = 'pending'
       AND NOT EXISTS (SELECT FROM approval_precedents p WHERE p.approval_id = a.approval_id OFFSET 0)
     LIMIT %(most)s)
    UNION ALL
    (SELECT a.approval_id, a.project_id, a.tool_name FROM tools JOIN approvals a USING (project_id, tool_name)
     WHERE a.decided_at > now() - %(since)s::interval AND a.status = ANY(%(decided)s)
       AND NOT EXISTS (SELECT FROM approval_precedents p WHERE p.approval_id = a.approval_id OFFSET 0)
     LIMIT %(most)s)
    UNION ALL
    (SELECT p.approval_id, p.project_id, p.tool_name FROM approval_precedents p
     WHERE p.vector IS NULL AND p.claimed_until < now() LIMIT %(most)s)
)"""
_ONE = """
WITH due AS (SELECT a.approval_id, a.project_id, a.tool_name FROM approvals a WHERE a.approval_id = %(approval)s)"""
_KEEP_CLAIM = """
INSERT INTO approval_precedents AS known (approval_id, project_id, tool_name, claimed_until)
SELECT due.approval_id, due.project_id, due.tool_name, now() + %(claim)s::interval FROM due LIMIT %(most)s
ON CONFLICT (approval_id) DO UPDATE SET claimed_until = excluded.claimed_until
WHERE known.vector IS NULL AND known.claimed_until < now()
RETURNING approval_id"""

# What somebody else is at is left to them.
_CLOSED = """
WITH open AS MATERIALIZED (
    SELECT p.approval_id FROM approval_precedents p WHERE p.decided_at IS NULL
), closed AS MATERIALIZED (
    SELECT open.approval_id, a.* FROM open, LATERAL (
        SELECT a.status, a.decided_at, a.dispatched_at FROM approvals a
        WHERE a.approval_id = open.approval_id OFFSET 0) AS a
    WHERE a.status <> 'pending'
)"""
_ACCEPT = f"""{_CLOSED}, held AS MATERIALIZED (
    SELECT p.approval_id, closed.decided_at FROM approval_precedents p JOIN closed USING (approval_id)
    WHERE closed.dispatched_at IS NOT NULL AND closed.status = ANY(%(decided)s) AND p.vector IS NOT NULL
    FOR UPDATE OF p SKIP LOCKED)
UPDATE approval_precedents p SET decided_at = held.decided_at FROM held WHERE p.approval_id = held.approval_id"""  # noqa: S608  # made of constants
_FORGET_WITHDRAWN = f"""{_CLOSED}
DELETE FROM approval_precedents WHERE approval_id IN (
    SELECT p.approval_id FROM approval_precedents p JOIN closed USING (approval_id) WHERE closed.status = 'withdrawn'
    FOR UPDATE OF p SKIP LOCKED)"""  # noqa: S608  # made of constants
_TAKE_OUT = """
UPDATE approval_precedents SET decided_at = NULL WHERE approval_id IN (
    SELECT p.approval_id FROM approvals a JOIN approval_precedents p USING (approval_id)
    WHERE a.status = 'pending' AND p.decided_at IS NOT NULL
    FOR UPDATE OF p SKIP LOCKED)"""
_OTHER_EMBEDDERS = """
UPDATE approval_precedents SET vector = NULL, decided_at = NULL, claimed_until = now() - interval '1 second'
WHERE embedder <> %(embedder)s AND vector IS NOT NULL"""


def gather(*, since: str = RECENT) -> int:
    """Give up to `MOST` requests their vectors, and let those that are decided be found; how many vectors it made.

    It may run anywhere, beside any other: what one has claimed no other embeds, for a minute. Nothing is locked while
    the embedder works. Only decisions `since` then are looked at.
    """
    made = 0
    try:
        while made < MOST and (claimed := _claimed(_CLAIM, since=since, most=BATCH)):
            _embed(claimed)
            made += len(claimed)
    finally:
        _run(_ACCEPT)
        _run(_FORGET_WITHDRAWN)
    return made


def gather_all() -> int:
    """The same of all that was ever decided, by the embedder of now; how many vectors it made in this round.

    Decisions that were found not to hold are taken out; nobody has found them since.
    """
    _run(_TAKE_OUT)
    if Precedent.objects.exists():  # else nobody needs an embedder, which takes its time to load
        _run(_OTHER_EMBEDDERS, embedder=embedders.active().name)
    return gather(since=EVER)


def look_at(approval_id: UUID) -> bool:
    """Give one request its vector now, unless somebody else is about to; whether it was made here."""
    claimed = _claimed(_ONE, approval=approval_id, most=1)
    _embed(claimed)
    return bool(claimed)


def _claimed(due: str, **given: Any) -> list[UUID]:
    """The requests that are due and that nobody else embeds; none where one was deleted meanwhile: the next time."""
    try:
        with transaction.atomic():
            return [row[0] for row in _run(due + _KEEP_CLAIM, claim=CLAIM, **given)]
    except IntegrityError:
        return []


def _embed(claimed: Sequence[UUID]) -> None:
    """Each is read by itself: the arguments of one may be megabytes."""
    texts = {pk: text for pk in claimed if (text := _text(pk)) is not None}
    if not texts:
        return
    embedder = embedders.active()
    for pk, vector in zip(texts, embedder.embed(list(texts.values())), strict=True):
        Precedent.objects.filter(pk=pk, vector__isnull=True).update(vector=vector, embedder=embedder.name)


def _text(approval_id: UUID) -> str | None:
    fields = ("tool_name", "title", "intent", "proposed", "schema", "session__root__goal")
    one = Approval.objects.filter(pk=approval_id).values(*fields).first()
    if one is None:
        return None
    return meanings.of_request(
        one["tool_name"],
        one["title"],
        one["intent"],
        one["session__root__goal"],
        one["proposed"],
        secret=secrets(one["schema"]),
    )


def _run(sql: str, **given: Any) -> list[tuple[Any, ...]]:
    decided = [str(status) for status in DECIDED]
    with connection.cursor() as cursor:
        cursor.execute(sql, {"decided": decided, **given})
        return cursor.fetchall() if cursor.description else []
