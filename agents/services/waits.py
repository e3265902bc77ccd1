"""What sessions wait for: opened when a graph stops, answered once, counted down by children."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from agents.actor import SYSTEM, Actor
from agents.checkpoints.connections import raw_cursor
from agents.errors import DelegationRefused, InvalidTransition
from agents.ids import derived_id
from agents.lifecycle import (
    FINAL,
    WAITING_STATUS,
    ApprovalStatus,
    ChildrenNeeded,
    SessionStatus,
    WaitKind,
)
from agents.models import AgentSession, Approval, SessionWait
from agents.roles import MAX_FAN_OUT, MAY_START, Level
from agents.services import coordination, details, ledger, sessions, spending

_IS_ASKED = """
SELECT EXISTS (SELECT FROM agent_communications
               WHERE receiver_session_id = %(session)s AND wait_id IS NOT NULL AND processed_at IS NULL)"""

_ANSWER = """
UPDATE session_waits SET answer = given.answer, answered_at = %s
FROM jsonb_to_recordset(%s::jsonb) AS given(wait_id uuid, answer jsonb)
WHERE session_waits.wait_id = given.wait_id AND answered_at IS NULL
RETURNING session_waits.wait_id"""


@dataclass(frozen=True, slots=True)
class Question:
    """What a graph asked when it stopped. `key` names it, so that its answer reaches no other question."""

    interrupt_id: str
    kind: WaitKind
    key: str
    request: dict[str, Any]
    subject: str
    reason: str


def open_wait(session: AgentSession, question: Question, **counts: Any) -> tuple[SessionWait, bool]:
    """The wait of `question`, and whether it is new. The caller holds the session."""
    return SessionWait.objects.get_or_create(
        session=session,
        interrupt_id=question.interrupt_id,
        defaults={
            "wait_id": derived_id(session.pk, "wait", question.interrupt_id),
            "project_id": session.project_id,
            "kind": question.kind,
            "request": {"key": question.key, **question.request},
            "subject": question.subject,
            "reason": question.reason,
            **counts,
        },
    )


def delegate(
    session: AgentSession,
    question: Question,
    starts: Sequence[sessions.Start],
    *,
    needs: ChildrenNeeded,
    needed: int,
    most: int | None = None,
    others_go_on: bool = False,
) -> list[AgentSession]:
    """Open a wait for children and start them, once; they. The caller holds the session.

    Once enough are back the others are stopped, unless `others_go_on`. Raises DelegationRefused when there are more
    than `most` of them, by default than the session's level may start, or one that it may not start.
    """
    _check_delegation(session, starts, most)
    total = len(starts)
    least = {ChildrenNeeded.ALL: total, ChildrenNeeded.ANY: 1, ChildrenNeeded.SOME: needed}[needs]
    counts = {"needs": needs, "needed": min(max(least, 0), total), "remaining": total, "others_go_on": others_go_on}
    wait, is_new = open_wait(session, question, **counts)
    if not is_new:
        return []
    if not starts:
        answer(session, wait, [])
        return []
    before = _predecessors(session, wait, starts) if session.kept else {}
    children = sessions.start_children(session, wait, starts, actor=_actor(session), predecessors=before)
    for child in children:
        if child.stands_for:
            ledger.inherit(child, child.stands_for)
    coordination.assign(session, children)
    spending.count(session.pk, children=len(children))
    return children


def _is_same(before: AgentSession, start: sessions.Start) -> bool:
    """Had it the same tasks? They may be put together in another way now."""
    return list(before.batch) == list(start.batch)


def _predecessors(
    session: AgentSession, wait: SessionWait, starts: Sequence[sessions.Start]
) -> Mapping[int, AgentSession]:
    """Whom the same question started before a rewind, by position: here, or in what this session stems from."""
    place: AgentSession | None = session
    while place is not None:
        earlier = place.waits.filter(request__key=wait.request["key"]).exclude(pk=wait.pk).order_by("-created_at")
        for asked in earlier:
            if found := {child.position: child for child in asked.children.all()}:
                return {
                    place: one for place, one in found.items() if place < len(starts) and _is_same(one, starts[place])
                }
        place = place.stands_for or place.forked_from
    return {}


def _check_delegation(session: AgentSession, starts: Sequence[sessions.Start], most: int | None) -> None:
    level = Level(session.level)
    who = level.with_article.capitalize()
    foreign = sorted({start.level for start in starts} - MAY_START[level])
    if foreign:
        raise DelegationRefused(f"{who} may not start {Level(foreign[0]).with_article}.")
    most = MAX_FAN_OUT[level] if most is None else most
    if len(starts) > most:
        raise DelegationRefused(f"{who} may start {most} agents at once, not {len(starts)}.")


def _actor(session: AgentSession) -> Actor:
    return Actor("agent", session.pk)


def count_down(child: AgentSession) -> None:
    """Tell the parent that `child`, locked by the caller, has ended; answer its wait when that was enough."""
    if child.parent_wait_id is None or child.parent_id is None:
        return
    parent = sessions.lock(child.parent_id)
    SessionWait.objects.filter(pk=child.parent_wait_id, remaining__gt=0).update(
        remaining=F("remaining") - 1,
        succeeded=F("succeeded") + (1 if child.status == SessionStatus.SUCCEEDED else 0),
    )
    answer_if_complete(parent, child.parent_wait_id)


def outcomes(session: AgentSession, wait: SessionWait) -> list[dict[str, Any]]:
    """How the tasks of a locked session's wait ended, in their order; one still at work has its status and no output.

    Long outputs are handed over by reference. `missing` says in words why there is none; it is empty where there is.
    """
    children = list(wait.children.select_related("current_run").order_by("position"))
    enough = f"it had not finished when {wait.succeeded} of {len(children)} were back"
    unfinished = f"{enough}, and {'goes on' if wait.others_go_on else 'is stopped'}"
    told = {place: one for child in children for place, one in _of_child(child, unfinished)}
    found = [told[place] for place in sorted(told)]
    outputs = details.shortened(session, [result for _, result in found])
    return [outcome | {"output": output} for (outcome, _), output in zip(found, outputs, strict=True)]


def _of_child(
    child: AgentSession, unfinished: str
) -> Iterator[tuple[int, tuple[dict[str, Any], details.Result | None]]]:
    """The outcome of each task that a child had, by its place in the delegation, without its output; and its result."""
    run = child.current_run
    outcome = {
        "session_id": str(child.pk),
        "name": child.name,
        "status": child.status,
        "error": run.error if run else "",
        "missing": _missing(child, unfinished),
        "ended_at": child.finished_at.isoformat() if child.finished_at else None,
    }
    result = None if run is None or run.output is None else details.Result(run, run.output)
    if not child.batch:
        yield child.position, (outcome, result)
    for place, task in enumerate(child.batch):
        own = outcome | {"name": task["name"]}, result
        if len(child.batch) > 1 and result is not None:
            own = _of_task(own[0], result, place)
        for position in task["positions"]:
            yield position, own


def _of_task(
    outcome: dict[str, Any], whole: details.Result, place: int
) -> tuple[dict[str, Any], details.Result | None]:
    """One task of a batch that its agent went through: it may have failed where others did not."""
    try:
        told = whole.output["results"][place]
        output, error = told["output"], str(told["error"])
    except (LookupError, TypeError):
        output, error = None, "its agent gave no result for it"
    if output is not None:
        return outcome, details.Result(whole.run, output, place)
    return outcome | {"status": str(SessionStatus.FAILED), "error": error, "missing": f"it failed: {error}"}, None


def _missing(child: AgentSession, unfinished: str) -> str:
    if child.status == SessionStatus.SUCCEEDED:
        return ""
    if child.status not in FINAL:
        return unfinished
    ended = "it failed" if child.status == SessionStatus.FAILED else "it was stopped"
    return f"{ended}: {child.current_run.error}" if child.current_run and child.current_run.error else ended


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a wait of a locked session. `cause`: the event that led to it, where `causes` does not know."""

    session: AgentSession
    wait: SessionWait
    value: Any
    cause: UUID | None = None


def answer(session: AgentSession, wait: SessionWait, value: Any) -> bool:
    """Answer a wait of a locked session, once; a waiting session is queued. False if it was answered before.

    The session must be locked whatever its status is: a running one that is about to park reads its waits after
    its own lock, and would miss an answer that did not take it.
    """
    return bool(answer_all([Answered(session, wait, value)]))


def answer_all(answered: Sequence[Answered]) -> set[UUID]:
    """Answer waits of several locked sessions in one go, likewise; those that had no answer before."""
    if not answered:
        return set()
    named = {one.wait.pk: {"key": one.wait.request["key"], "value": one.value} for one in answered}
    with connection.cursor() as cursor:
        rows = [{"wait_id": wait_id, "answer": value} for wait_id, value in named.items()]
        cursor.execute(_ANSWER, [timezone.now(), json.dumps(rows, default=str)])
        new = {wait_id for (wait_id,) in cursor.fetchall()}
    moves: dict[UUID, sessions.Move] = {}
    for one in answered:
        if one.wait.pk in new and one.session.pk not in moves and sessions.is_waiting(one.session):
            # a budget is no question of the graph: who waits for something else, too, goes on waiting for that
            is_budget = one.wait.kind == WaitKind.BUDGET
            target = resting_status(one.session) if is_budget else SessionStatus.QUEUED
            if target != one.session.status:
                cause = f"answered:{one.wait.kind}"
                moves[one.session.pk] = sessions.Move(one.session, target, SYSTEM, cause, one.cause)
    sessions.move_all(list(moves.values()))
    return new


def waiting_status(session: AgentSession) -> SessionStatus | None:
    """The status that the first of a locked session's open waits asks for; None when it has none.

    An answer that no agent could give is waited for as people's are.
    """
    wait = session.waits.filter(answered_at__isnull=True).order_by("created_at").first()
    if wait is None:
        return None
    is_before_people = Approval.objects.filter(wait=wait, status=ApprovalStatus.PENDING).exists()
    return SessionStatus.WAITING_APPROVAL if is_before_people else WAITING_STATUS[WaitKind(wait.kind)]


def answers(session_id: UUID, interrupt_ids: Sequence[str]) -> dict[str, Any]:
    """The answers that these interrupts have, by interrupt."""
    answered = SessionWait.objects.filter(
        session_id=session_id, interrupt_id__in=interrupt_ids, answered_at__isnull=False
    )
    told = answered.exclude(kind=WaitKind.FOREIGN, answer__has_any_keys=[CLOSED, SUPERSEDED])
    return {name: _told(kind, answer) for name, kind, answer in told.values_list("interrupt_id", "kind", "answer")}


def _told(kind: str, answer: Any) -> Any:
    """A graph that asked in a form of its own is told the value; our own look at the key first."""
    return answer["value"] if kind == WaitKind.FOREIGN else answer


def resting_status(session: AgentSession) -> SessionStatus:
    """Where a locked session belongs that nobody runs or holds.

    Waiting if it has open waits and nobody waits for an answer of its own, else queued.
    """
    status = waiting_status(session)
    return SessionStatus.QUEUED if status is None or is_asked(session.pk) else status


def is_asked(session_id: UUID) -> bool:
    """Does another agent wait for an answer of this one? Under the lock of its session no request comes unseen.

    Asked of every attempt, before and after its graph: to have Django write the statement took ten times as long.
    """
    with raw_cursor(connection) as cursor:
        found = cursor.execute(_IS_ASKED, {"session": session_id}, prepare=True).fetchone()
    return bool(found and found[0])


def reopen(child: AgentSession) -> None:
    """Let the parent wait for a child that ended and is to run again. The caller holds the child.

    Raises InvalidTransition when the parent has gone on without it, or has ended.
    """
    if child.parent_wait_id is None or child.parent_id is None:
        return
    parent = sessions.lock(child.parent_id)
    check_awaited(child, parent)
    SessionWait.objects.filter(pk=child.parent_wait_id).update(
        remaining=F("remaining") + 1,
        succeeded=F("succeeded") - (1 if child.status == SessionStatus.SUCCEEDED else 0),
    )


def check_awaited(child: AgentSession, parent: AgentSession | None) -> None:
    """Raise InvalidTransition when nobody would wait for `child` if it ran again. Forks and missions may always."""
    if parent is None or child.parent_wait_id is None:
        return
    is_open = SessionWait.objects.filter(pk=child.parent_wait_id, answered_at__isnull=True).exists()
    if not is_open or parent.status in FINAL:
        raise InvalidTransition("The agent above has gone on without this one: retry that one instead.")


def supersede(session: AgentSession) -> list[SessionWait]:
    """Close the open waits of a locked session whose state has moved: nobody will ask these questions again; they."""
    return _close_open(session, SUPERSEDED)


PAUSE = "pause:"  # how interrupts begin that no graph has made: timers between two tries
CLOSED = "closed"  # mark in the answer of a wait whose session ended
SUPERSEDED = "superseded"  # of one whose question is not asked any more


def close(session: AgentSession) -> list[SessionWait]:
    """A locked session has ended: it waits for nothing. A retry opens these waits, which are returned, again."""
    return _close_open(session, CLOSED)


def _close_open(session: AgentSession, mark: str) -> list[SessionWait]:
    found = list(session.waits.filter(answered_at__isnull=True))
    for wait in found:
        wait.answer, wait.answered_at = {"key": wait.request["key"], mark: True}, timezone.now()
        wait.save(update_fields=["answer", "answered_at"])
    return found


def reopen_closed(session: AgentSession) -> list[SessionWait]:
    """Open the waits that the end of a locked session closed, with the count of children that still work; they."""
    opened = list(session.waits.filter(answer__closed=True).exclude(interrupt_id__startswith=PAUSE))
    for wait in opened:
        wait.answer = wait.answered_at = None
        if wait.kind == WaitKind.CHILDREN:
            children = list(wait.children.values_list("status", flat=True))
            wait.remaining = sum(status not in FINAL for status in children)
            wait.succeeded = children.count(SessionStatus.SUCCEEDED)
        wait.save(update_fields=["answer", "answered_at", "remaining", "succeeded"])
    return opened


def answer_if_complete(session: AgentSession, wait_id: UUID) -> None:
    """Answer a wait for children, of a locked session, if it has got what it needs."""
    wait = SessionWait.objects.get(pk=wait_id)
    enough = wait.needs != ChildrenNeeded.ALL and wait.succeeded >= wait.needed
    if wait.kind == WaitKind.CHILDREN and wait.answered_at is None and (wait.remaining == 0 or enough):
        answer(session, wait, outcomes(session, wait))


def is_awaited(child: AgentSession) -> bool:
    """Does the agent above still wait for this one?"""
    return SessionWait.objects.filter(children=child, answered_at__isnull=True).exists()


def are_open(session: AgentSession, interrupt_ids: Sequence[str]) -> bool:
    """Does a locked session still wait for all of these? Read after the lock, so no answer is missed."""
    return session.waits.filter(interrupt_id__in=interrupt_ids, answered_at__isnull=True).count() == len(interrupt_ids)


@transaction.atomic
def abandoned(limit: int = 200, *, within: timedelta | None = None) -> dict[UUID, UUID | None]:
    """Sessions that still work for a parent that has ended or gone on without them. Nobody waits for a fork.

    Each with the parent's last move, which shows that it did so. With `within` only those whose parent has moved that
    short a time ago: one that waits undisturbed is not looked at.
    """
    found = AgentSession.objects.active().filter(parent__isnull=False, parent_wait__isnull=False)
    if within is not None:
        found = found.filter(parent__moved_at__gt=timezone.now() - within)
    return dict(
        found.exclude(parent__status__in=[s for s in SessionStatus if s not in FINAL], parent_wait__others_go_on=True)
        .exclude(
            parent__status__in=[s for s in SessionStatus if s not in FINAL],
            parent_wait__answered_at__isnull=True,
        )
        .values_list("pk", "parent__move_id")[:limit]
    )
