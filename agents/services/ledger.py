"""The ledger of tool calls: opened once, started by one attempt, completed with the truth.

A key stands for one call at a time. A rewind that goes behind the call supersedes its row, and the next call of the
key is a new generation; a call that the rewind kept answers as it is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.actor import Actor, agent
from agents.errors import LedgerConflict
from agents.events import store
from agents.events.digests import json_digest
from agents.events.types import ToolCallsLeft, ToolMoved
from agents.ids import derived_id
from agents.lifecycle import ExecutionStatus, Policy, Risk
from agents.models import AgentSession, KeptResult, ToolExecution
from agents.services import policies
from agents.services.policies import Ruled


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as an agent makes it. `key` is unique in its session and the same on every replay.

    `policy` is the tool's own; `cost` what it says that the call will cost, in dollars.
    """

    key: str
    tool_name: str
    tool_version: str
    risk: Risk
    policy: Policy
    arguments: dict[str, Any]
    intent: str
    cost: Decimal = Decimal(0)


def open_call(session: AgentSession, call: Call) -> ToolExecution:
    """The row of a call, made on the first time. The caller holds the session.

    The policy's outcome is kept on the row: a replay cannot decide otherwise. Raises LedgerConflict when the key
    stands for another call; one that a rewind kept makes way, for the agent may go another way than before.
    """
    arguments_digest = json_digest(call.arguments)
    row = session.executions.filter(call_key=call.key, superseded_at__isnull=True).first()
    if row is not None and (row.tool_name, row.input_digest) != (call.tool_name, arguments_digest):
        if not is_kept(session, row):
            raise LedgerConflict(key=call.key)
        supersede(session, [row.pk])
        row = None
    return row or _open(session, call, arguments_digest, _ruled(session, call))


def _ruled(session: AgentSession, call: Call) -> Ruled:
    """What the project's policy says of a new call."""
    facts = policies.call_now(session, call.tool_name, call.risk, call.arguments, call.cost)
    return policies.ruled(session.project_id, facts, call.policy)


def _open(
    session: AgentSession,
    call: Call,
    arguments_digest: str,
    ruled: Ruled,
    *,
    compensates: ToolExecution | None = None,
) -> ToolExecution:
    generation = session.executions.filter(call_key=call.key).count()
    lineage = (generation,) if generation else ()
    return ToolExecution.objects.create(
        session=session,
        call_key=call.key,
        generation=generation,
        execution_id=derived_id(session.pk, "call", call.key, *lineage),
        project_id=session.project_id,
        tool_name=call.tool_name,
        tool_version=call.tool_version,
        risk=call.risk,
        policy=ruled.policy,
        policy_rule=ruled.rule,
        policy_version=ruled.version,
        intent=call.intent,
        input_data=call.arguments,
        input_digest=arguments_digest,
        cost_estimate=call.cost,
        compensates=compensates,
    )


def open_compensation(session: AgentSession, original: ToolExecution, call: Call) -> ToolExecution:
    """The row of the call that takes `original` back, locked, made on the first time. The caller holds the session."""
    known = ToolExecution.objects.select_for_update(no_key=True).filter(compensates=original).first()
    return known or _open(session, call, json_digest(call.arguments), Ruled(call.policy), compensates=original)


def is_kept(session: AgentSession, row: ToolExecution) -> bool:
    """Did a rewind leave this call of the session standing?"""
    return (row.kept_from_id or row.pk) in session.kept


def made_by(found: QuerySet[AgentSession]) -> set[UUID]:
    """The calls of these sessions that have happened, or may have: their first rows' ids."""
    rows = ToolExecution.objects.filter(
        session__in=found,
        superseded_at__isnull=True,
        compensates__isnull=True,
        status__in=[ExecutionStatus.COMPLETED, ExecutionStatus.RUNNING],
    )
    return set(rows.values_list(Coalesce("kept_from_id", "execution_id"), flat=True))


def supersede(session: AgentSession, execution_ids: Collection[UUID], *, actor: Actor | None = None) -> None:
    """A rewind went behind these calls of a locked session: their keys may be called anew."""
    if execution_ids:
        ToolExecution.objects.filter(pk__in=execution_ids).update(superseded_at=timezone.now())
        event = ToolCallsLeft(superseded=sorted(execution_ids), kept=[])
        store.record(event, session, actor=actor or agent(session.pk))


def inherit(session: AgentSession, predecessor: AgentSession) -> None:
    """Copy the calls of `predecessor` that `session`, which stands in for it, is to take as made."""
    found = predecessor.executions.annotate(origin=Coalesce("kept_from_id", "execution_id")).filter(
        origin__in=session.kept, status=ExecutionStatus.COMPLETED, superseded_at__isnull=True
    )
    copies = [_copy(row, session) for row in found]
    if copies:
        ToolExecution.objects.bulk_create(copies)
        event = ToolCallsLeft(superseded=[], kept=sorted(row.pk for row in copies))
        store.record(event, session, actor=agent(session.pk))


def _copy(row: ToolExecution, session: AgentSession) -> ToolExecution:
    return ToolExecution(
        execution_id=derived_id(session.pk, "call", row.call_key),
        project_id=session.project_id,
        session=session,
        call_key=row.call_key,
        kept_from_id=row.kept_from_id or row.pk,
        tool_name=row.tool_name,
        tool_version=row.tool_version,
        risk=row.risk,
        policy=row.policy,
        policy_rule=row.policy_rule,
        policy_version=row.policy_version,
        intent=row.intent,
        input_data=row.input_data,
        input_digest=row.input_digest,
        effective_data=row.effective_data,
        output_data=row.output_data,
        status=row.status,
        attempt=row.attempt,
        execution_time_ms=row.execution_time_ms,
        started_at=row.started_at,
        completed_at=row.completed_at,
    )


def refuse(row: ToolExecution, reason: str) -> None:
    """The call is not to run: by policy, or by a person."""
    changed = ToolExecution.objects.filter(pk=row.pk, status=ExecutionStatus.PENDING).update(
        status=ExecutionStatus.REFUSED, error_message=reason, completed_at=timezone.now()
    )
    if changed:
        _record(row, ExecutionStatus.REFUSED)


def doubt(row: ToolExecution, attempt: int) -> None:
    """The attempt that ran this call died: whether it happened is for a person to say."""
    row.doubts = [*row.doubts, attempt]
    row.save(update_fields=["doubts"])


def start(
    row: ToolExecution, attempt: int, arguments: dict[str, Any], tries: int = 1, *, actor: Actor | None = None
) -> None:
    """This attempt runs the call now, for the time that `tries` says.

    Raises LedgerConflict when somebody else has changed the row meanwhile.
    """
    changed = ToolExecution.objects.filter(
        pk=row.pk,
        attempt=row.attempt,
        status__in=[ExecutionStatus.PENDING, ExecutionStatus.RUNNING, ExecutionStatus.FAILED],
    ).update(
        status=ExecutionStatus.RUNNING,
        attempt=attempt,
        effective_data=arguments,
        tries=tries,
        started_at=timezone.now(),
        error_message="",
    )
    if not changed:
        raise LedgerConflict(key=row.call_key)
    row.attempt = attempt
    _record(row, ExecutionStatus.RUNNING, actor)


def reuse(row: ToolExecution, attempt: int, arguments: dict[str, Any], kept: KeptResult) -> None:
    """The kept result of an equal call answers this one, which never ran. The caller holds the session.

    Raises LedgerConflict when the call was begun meanwhile.
    """
    origin = ToolExecution.objects.filter(pk=kept.origin_id).values("pk")[:1]
    now = timezone.now()
    changed = ToolExecution.objects.filter(pk=row.pk, status=ExecutionStatus.PENDING).update(
        status=ExecutionStatus.COMPLETED,
        attempt=attempt,
        effective_data=arguments,
        output_data=kept.result,
        is_reused=True,
        answered_from=Subquery(origin),
        execution_time_ms=0,
        started_at=now,
        completed_at=now,
    )
    if not changed:
        raise LedgerConflict(key=row.call_key)
    row.attempt = attempt
    _record(row, ExecutionStatus.COMPLETED)


@transaction.atomic
def complete(
    row: ToolExecution,
    attempt: int,
    output: dict[str, Any],
    *,
    milliseconds: int | None,
    actor: Actor | None = None,
) -> None:
    """Keep a call's result. Held to the row's own attempt, not to the lease: what a late worker did has happened.

    A compensation is idempotent, so any attempt's result is its own; what it took back answers no call any more.
    """
    held = Q() if row.compensates_id else Q(attempt=attempt)
    changed = ToolExecution.objects.filter(held, pk=row.pk, status=ExecutionStatus.RUNNING).update(
        status=ExecutionStatus.COMPLETED,
        output_data=output,
        execution_time_ms=milliseconds,
        completed_at=timezone.now(),
    )
    if changed:
        _record(row, ExecutionStatus.COMPLETED, actor)
    if changed and row.compensates_id:
        ToolExecution.objects.filter(
            Q(pk=row.compensates_id) | Q(kept_from_id=row.compensates_id), superseded_at__isnull=True
        ).update(superseded_at=timezone.now())


@transaction.atomic
def put_back(row: ToolExecution, attempt: int) -> None:
    """The tool has asked somebody and done nothing yet: it is run again once there is an answer."""
    changed = ToolExecution.objects.filter(pk=row.pk, status=ExecutionStatus.RUNNING, attempt=attempt).update(
        status=ExecutionStatus.PENDING, started_at=None
    )
    if changed:
        _record(row, ExecutionStatus.PENDING)


@transaction.atomic
def fail(row: ToolExecution, attempt: int, error: str, *, actor: Actor | None = None) -> None:
    """The tool raised an error: nothing is in doubt, and it may be tried again."""
    changed = ToolExecution.objects.filter(pk=row.pk, status=ExecutionStatus.RUNNING, attempt=attempt).update(
        status=ExecutionStatus.FAILED, error_message=error, completed_at=timezone.now()
    )
    if changed:
        _record(row, ExecutionStatus.FAILED, actor)


def _record(row: ToolExecution, status: ExecutionStatus, actor: Actor | None = None) -> UUID:
    session = AgentSession.objects.get(pk=row.session_id)
    return store.record(
        ToolMoved(
            execution_id=row.pk,
            tool_name=row.tool_name,
            status=status,
            attempt=row.attempt,
            digest=row.input_digest,
        ),
        session,
        actor=actor or agent(row.session_id),
    )
