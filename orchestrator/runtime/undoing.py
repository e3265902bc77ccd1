"""Compensations: what a person wants taken back runs through policy and ledger, as any call does."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import transaction

from agents.actor import Actor
from agents.errors import DomainError, ToolRefused, UndoFailed, words_of
from agents.lifecycle import ExecutionStatus, Policy, Risk
from agents.models import ToolExecution
from agents.services import ledger, sessions
from orchestrator.conf import breaker_limits, rates, retry_limits, tool_retries
from orchestrator.resilience.breakers import Breaker, Passage
from orchestrator.resilience.faults import may_repeat
from orchestrator.resilience.rates import take_turn
from orchestrator.resilience.retries import tried
from orchestrator.runtime.guard import caller_of
from orchestrator.runtime.lines import tool_way
from orchestrator.tools.registry import tool_named
from orchestrator.tools.tool import Caller, Tool

LONGEST_PAUSES = 3.0  # seconds between the tries of one compensation, in all: a person waits for it
LONGEST_TURN = 3.0  # seconds until the turn of one by its tool's rate, likewise


def undo_all(calls: Sequence[ToolExecution], *, actor: Actor) -> None:
    """Take calls back in the order given. What was taken back before is passed over, so this may be repeated.

    Stops at the first that fails and raises UndoFailed; `data` has the ids that were undone, that failed, and
    that were not tried.
    """
    for place, call in enumerate(calls):
        try:
            _undo(call, actor)
        except Exception as error:
            done = [one.pk for one in calls[:place]]
            left = [one.pk for one in calls[place + 1 :]]
            title = tool_named(call.tool_name).title
            raise UndoFailed(
                f"“{title}” by {call.session.name} could not be undone: {_told(error).rstrip('.')}. "
                f"{place} of {len(calls)} {'was' if place == 1 else 'were'} undone; the state has not changed.",
                undone=done,
                failed=call.pk,
                left=left,
            ) from error


def _undo(call: ToolExecution, actor: Actor) -> None:
    compensation = tool_named(call.tool_name).compensation
    if compensation is None:
        raise DomainError(f"{call.tool_name} names no compensation.")
    tool = tool_named(compensation.tool)
    parsed = tool.parse(compensation.arguments(call.effective_data or call.input_data, call.output_data or {}))
    arguments = parsed.model_dump(mode="json")
    row, caller = _start(call, tool, arguments, actor)
    if row.status == ExecutionStatus.COMPLETED:
        return
    attempt, started = row.attempt, time.monotonic()

    def run(number: int) -> dict[str, Any]:
        if number > 1:
            with transaction.atomic():
                ledger.start(row, attempt, arguments, number, actor=actor)
        try:
            with Breaker(*tool_way(tool.name), breaker_limits()).passing() as passage:
                _take_turn(tool.name)
                return _through(passage, tool, caller, parsed)
        except Exception as error:
            ledger.fail(row, attempt, _told(error), actor=actor)
            raise

    output = tried(
        run,
        limits=replace(retry_limits(tool_retries()), longest=LONGEST_PAUSES),
        may_repeat=partial(may_repeat, idempotent=tool.idempotent),
        rest=lambda number, seconds, error: time.sleep(seconds),
    )
    ledger.complete(row, attempt, output, milliseconds=round((time.monotonic() - started) * 1000), actor=actor)


def _take_turn(tool_name: str) -> None:
    rate = rates().get(tool_name)
    if rate is not None:
        take_turn(*tool_way(tool_name), rate, most=LONGEST_TURN, rest=time.sleep)


def _through(passage: Passage, tool: Tool[Any], caller: Caller, parsed: Any) -> dict[str, Any]:
    """The tool's output; its breaker hears how it went."""
    try:
        output = tool.run(caller, parsed)
    except Exception as error:
        passage.broke_off(error, _told(error))
        raise
    passage.worked()
    return output


def _told(error: Exception) -> str:
    """What an error says, without the places on the server that the system's own errors name."""
    text = error.strerror if isinstance(error, OSError) else None
    return text or words_of(error)


def _start(
    call: ToolExecution, tool: Tool[Any], arguments: dict[str, Any], actor: Actor
) -> tuple[ToolExecution, Caller]:
    """The compensation's row, running under a further attempt unless it has happened. Raises ToolRefused.

    A row that is running was cut off, or somebody else runs it right now: it runs again, as it is idempotent.
    """
    if tool.policy is Policy.REFUSE or not tool.idempotent:
        raise ToolRefused(f"{tool.name} may not run as a compensation.")
    with transaction.atomic():
        session = sessions.lock(call.session_id)
        wanted = ledger.Call(
            key=f"undo:{call.pk}",
            tool_name=tool.name,
            tool_version=tool.version,
            risk=Risk(tool.risk),
            policy=tool.policy,
            arguments=arguments,
            intent=f"Take back what {call.tool_name} did.",
        )
        row = ledger.open_compensation(session, call, wanted)
        if row.status != ExecutionStatus.COMPLETED:
            ledger.start(row, row.attempt + 1, arguments, actor=actor)
            row.status = ExecutionStatus.RUNNING
        return row, caller_of(session, row)
