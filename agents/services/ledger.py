"""The ledger of tool calls: opened once, started by one attempt, completed with the truth."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.actor import agent
from agents.errors import LedgerConflict
from agents.events import store
from agents.events.digests import digest
from agents.events.types import ToolMoved
from agents.ids import derived_id
from agents.lifecycle import ExecutionStatus, Policy, Risk
from agents.models import AgentSession, ToolExecution


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as an agent makes it. `key` is unique in its session and the same on every replay."""

    key: str
    tool_name: str
    tool_version: str
    risk: Risk
    policy: Policy
    arguments: dict[str, Any]
    intent: str


def open_call(session: AgentSession, call: Call) -> ToolExecution:
    """The row of a call, made on the first time. Raises LedgerConflict when the key stands for another call.

    The policy's outcome is kept on the row: a replay cannot decide otherwise.
    """
    arguments_digest = digest(call.arguments)
    row, is_new = ToolExecution.objects.get_or_create(
        session=session,
        call_key=call.key,
        defaults={
            "execution_id": derived_id(session.pk, "call", call.key),
            "project_id": session.project_id,
            "tool_name": call.tool_name,
            "tool_version": call.tool_version,
            "risk": call.risk,
            "policy": call.policy,
            "intent": call.intent,
            "input_data": call.arguments,
            "input_digest": arguments_digest,
        },
    )
    if not is_new and (row.tool_name, row.input_digest) != (call.tool_name, arguments_digest):
        raise LedgerConflict(key=call.key)
    return row


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


def start(row: ToolExecution, attempt: int, arguments: dict[str, Any]) -> None:
    """This attempt runs the call now. Raises LedgerConflict when somebody else has changed the row meanwhile."""
    changed = ToolExecution.objects.filter(
        pk=row.pk,
        attempt=row.attempt,
        status__in=[ExecutionStatus.PENDING, ExecutionStatus.RUNNING, ExecutionStatus.FAILED],
    ).update(
        status=ExecutionStatus.RUNNING,
        attempt=attempt,
        effective_data=arguments,
        started_at=timezone.now(),
        error_message="",
    )
    if not changed:
        raise LedgerConflict(key=row.call_key)
    row.attempt = attempt
    _record(row, ExecutionStatus.RUNNING)


@transaction.atomic
def complete(row: ToolExecution, attempt: int, output: dict[str, Any], *, milliseconds: int | None) -> None:
    """Keep a call's result. Held to the row's own attempt, not to the lease: what a late worker did has happened."""
    changed = ToolExecution.objects.filter(pk=row.pk, status=ExecutionStatus.RUNNING, attempt=attempt).update(
        status=ExecutionStatus.COMPLETED,
        output_data=output,
        execution_time_ms=milliseconds,
        completed_at=timezone.now(),
    )
    if changed:
        _record(row, ExecutionStatus.COMPLETED)


@transaction.atomic
def fail(row: ToolExecution, attempt: int, error: str) -> None:
    """The tool raised an error: nothing is in doubt, and it may be tried again."""
    changed = ToolExecution.objects.filter(pk=row.pk, status=ExecutionStatus.RUNNING, attempt=attempt).update(
        status=ExecutionStatus.FAILED, error_message=error, completed_at=timezone.now()
    )
    if changed:
        _record(row, ExecutionStatus.FAILED)


def _record(row: ToolExecution, status: ExecutionStatus) -> UUID:
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
        actor=agent(row.session_id),
    )
