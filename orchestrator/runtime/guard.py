"""The one way to a tool: policy, approval if asked, ledger row, run, result on the row.

A replay asks the same questions in the same order, answered at once, and only then looks at the row: a row that
answered first would hand its question's answer to the next one.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from langgraph.errors import GraphBubbleUp

from agents.checkpoints.connections import DATABASE_AWAY, scoped
from agents.errors import LedgerConflict, Stopped, ToolGaveUp, words_of
from agents.events.digests import json_digest
from agents.lifecycle import ExecutionStatus, Policy, Risk, WaitKind
from agents.models import AgentSession, ToolExecution
from agents.services import approvals, ledger, letters, policies
from agents.services.letters import Reason
from agents.storable import jsonb_value
from orchestrator.conf import retry_limits, tool_retries
from orchestrator.resilience.faults import may_repeat
from orchestrator.resilience.retries import tried
from orchestrator.runtime.asking import ask
from orchestrator.runtime.durability import Held
from orchestrator.runtime.leases import Lease
from orchestrator.runtime.lines import Call, ToolLine
from orchestrator.runtime.recalling import answer, keep, work_of
from orchestrator.tools.registry import tool_named
from orchestrator.tools.tool import Caller, Tool


class Guard:
    """Runs the tools of one attempt."""

    def __init__(self, lease: Lease, held: Held | None = None) -> None:
        """Guards the session of `lease`, of whose states some may be `held` back."""
        self._lease = lease
        self._held = held

    def call(
        self, tool: str, arguments: dict[str, Any], *, key: str, intent: str, fresh: bool = False
    ) -> dict[str, Any]:
        """Run the tool of that name once for `key`, as `run` does."""
        return self.run(tool_named(tool), arguments, key=key, intent=intent, fresh=fresh)

    def run(
        self, known: Tool[Any], arguments: dict[str, Any], *, key: str, intent: str, fresh: bool = False
    ) -> dict[str, Any]:
        """Run a tool once for `key`; its output, or {"refused": reason}. `fresh`: no kept result may answer.

        Raises InvalidInput for bad arguments, LedgerConflict when `key` stands for another call, Stopped when a
        person stopped the agent, and whatever the tool raises.
        """
        if self._held is not None:  # a step that is redone from an earlier state might make another call
            self._held.write()
        parsed = known.parse(arguments)
        proposed, cost = parsed.model_dump(mode="json"), known.cost(parsed)
        row, caller, is_kept = self._open(
            known, ledger.Call(key, known.name, known.version, known.risk, known.policy, proposed, intent, cost)
        )
        if is_kept and row.status == ExecutionStatus.COMPLETED:  # so from the first pass on: no question may differ
            return dict(row.output_data or {})
        if row.policy == Policy.REFUSE:
            with scoped():
                reason = policies.refusal(row.project_id, row.policy_rule, row.policy_version)
            return self._refuse(row, reason)
        effective = proposed
        if row.policy == Policy.ASK and not self._is_covered(row, arguments):
            decision = self._ask(known, row, caller)
            if decision["type"] != "approve":
                return self._refuse(row, decision["message"])
            effective = _approved(row, decision)
        return self._reuse_or_run(known, row, caller, effective, fresh=fresh)

    def _reuse_or_run(
        self, tool: Tool[Any], row: ToolExecution, caller: Caller, effective: dict[str, Any], *, fresh: bool
    ) -> dict[str, Any]:
        work = work_of(tool, caller, effective)
        if work is None:
            return self._run_once(tool, row, caller, effective)
        if not fresh and row.status == ExecutionStatus.PENDING:
            kept = answer(self._lease, work, row, effective)
            if kept is not None:
                return kept
        was_done = row.status == ExecutionStatus.COMPLETED
        output = self._run_once(tool, row, caller, effective)
        if not was_done:
            keep(work, row, output)
        return output

    def _open(self, tool: Tool[Any], call: ledger.Call) -> tuple[ToolExecution, Caller, bool]:
        with self._lease.writing() as session:
            row = ledger.open_call(session, call)
            return row, caller_of(session, row), ledger.is_kept(session, row)

    def _is_covered(self, row: ToolExecution, given: dict[str, Any]) -> bool:
        """Has a person approved just this call, because the graph asked by itself?"""
        with self._lease.writing() as session:
            return approvals.covering(session, row, {row.input_digest, json_digest(given)}) is not None

    def _refuse(self, row: ToolExecution, reason: str) -> dict[str, Any]:
        with self._lease.writing():
            ledger.refuse(row, reason)
        return {"refused": reason}

    def _ask(self, tool: Tool[Any], row: ToolExecution, caller: Caller) -> Any:
        return ask(
            WaitKind.APPROVAL,
            f"approval:{row.call_key}:{row.input_digest[:16]}",
            subject="an approver",
            reason=f"{tool.name} is {tool.risk} risk",
            execution_id=str(row.pk),
            title=tool.title,
        )

    def _run_once(
        self, tool: Tool[Any], row: ToolExecution, caller: Caller, effective: dict[str, Any]
    ) -> dict[str, Any]:
        verdict = None
        for attempt in row.doubts:  # asked on an earlier pass: take the answers in order
            verdict = self._ask_doubt(tool, row, attempt)
        while True:
            with scoped():
                row.refresh_from_db()
            if row.status == ExecutionStatus.COMPLETED:
                return dict(row.output_data or {})
            if row.status != ExecutionStatus.RUNNING or tool.may_repeat:
                return self._run(tool, row, caller, effective)
            if not row.doubts or row.doubts[-1] != row.attempt:
                with self._lease.writing():
                    ledger.doubt(row, row.attempt)
                verdict = self._ask_doubt(tool, row, row.attempt)
                continue
            return self._settle_doubt(tool, row, caller, effective, verdict)

    def _ask_doubt(self, tool: Tool[Any], row: ToolExecution, attempt: int) -> Any:
        return ask(
            WaitKind.UNCERTAIN,
            f"doubt:{row.call_key}:{attempt}",
            subject="a person",
            reason=f"{tool.name} may have happened: its worker died in the middle",
            execution_id=str(row.pk),
            title=f"{tool.title}: did it happen?",
        )

    def _settle_doubt(
        self, tool: Tool[Any], row: ToolExecution, caller: Caller, effective: dict[str, Any], verdict: Any
    ) -> dict[str, Any]:
        if verdict["type"] == "stop":
            raise Stopped(verdict["message"])
        if verdict["type"] == "done":
            output = {"taken_as_done": True}
            with scoped():
                ledger.complete(row, row.attempt, output, milliseconds=None)
            return output
        return self._run(tool, row, caller, effective)

    def _run(self, tool: Tool[Any], row: ToolExecution, caller: Caller, effective: dict[str, Any]) -> dict[str, Any]:
        attempt = self._lease.holding.attempt
        parsed = tool.parse(effective)
        started = time.monotonic()

        def run(call: Call, number: int) -> dict[str, Any]:
            with call.passing() as passage:
                with self._lease.writing():
                    ledger.start(row, attempt, effective, number)
                try:
                    with scoped():
                        output: dict[str, Any] = jsonb_value(tool.run(caller, parsed))
                except GraphBubbleUp:  # it asks somebody by itself, and is run again with the answer
                    with scoped():
                        ledger.put_back(row, attempt)
                    raise
                except DATABASE_AWAY:  # in the middle of its work, for all we know: the next attempt asks
                    raise
                except Exception as error:
                    passage.broke_off(error, words_of(error))
                    with scoped():
                        ledger.fail(row, attempt, words_of(error))
                    raise
                passage.worked()
                return output

        output = self._tried(tool, row, run)
        with scoped():
            ledger.complete(row, attempt, output, milliseconds=round((time.monotonic() - started) * 1000))
            approvals.dispel_doubt(row.pk)  # of a later attempt, which took this one for dead
        return output

    def _tried(self, tool: Tool[Any], row: ToolExecution, run: Callable[[Call, int], dict[str, Any]]) -> dict[str, Any]:
        """Its output. Raises ToolGaveUp when it failed as often as it is tried, and whatever no further try cures."""
        repeats = partial(may_repeat, idempotent=tool.may_repeat)
        tries = 0

        def count(call: Call, number: int) -> dict[str, Any]:
            nonlocal tries
            tries = number
            return run(call, number)

        def rest(call: Call, number: int, seconds: float, error: BaseException) -> None:
            call.rest(seconds, number, f"{tool.title} did not work ({words_of(error)})")

        try:
            with ToolLine(self._lease, tool.name).calling({"execution_id": row.pk}) as call:
                return tried(
                    partial(count, call),
                    limits=retry_limits(tool_retries()),
                    may_repeat=repeats,
                    rest=partial(rest, call),
                    tries=call.earlier.tries,
                    rested=call.earlier.rested,
                )
        except Exception as error:
            if not repeats(error):
                raise
            times = "once" if tries == 1 else f"{tries} times"
            with self._lease.writing():
                letters.keep_tool(row, tool.title, Reason.of(error))
            raise ToolGaveUp(f"{tool.title} was tried {times} and did not work: {words_of(error)}") from error


def _approved(row: ToolExecution, decision: dict[str, Any]) -> dict[str, Any]:
    """The arguments that a person approved. Raises LedgerConflict when they are not what was decided on."""
    effective: dict[str, Any] = decision["args"]
    if json_digest(effective) != decision["digest"]:
        raise LedgerConflict("The approved arguments have changed since the decision.", key=row.call_key)
    return effective


def caller_of(session: AgentSession, row: ToolExecution) -> Caller:
    """On whose behalf a call of `session` runs."""
    return Caller(
        project_id=session.project_id,
        project_slug=session.project.slug,
        mission_id=session.origin_id,
        session_id=session.pk,
        execution_id=row.pk,
    )


def request_for(session: AgentSession, row: ToolExecution, kind: WaitKind, title: str) -> approvals.Request:
    """What is put before a person when the guard asks about the call of `row`."""
    tool = tool_named(row.tool_name)
    if kind is WaitKind.UNCERTAIN:
        return approvals.Request(
            kind=kind,
            title=title,
            tool_name=row.tool_name,
            risk=Risk(row.risk),
            intent=row.intent,
            proposed=row.effective_data or row.input_data,
            allowed=("again", "done", "stop"),
            execution_id=row.pk,
            schema=tool.schema(),
        )
    effects = tool.effects(caller_of(session, row), tool.parse(row.input_data))
    return approvals.Request(
        kind=kind,
        title=title,
        tool_name=row.tool_name,
        risk=Risk(row.risk),
        intent=row.intent,
        proposed=row.input_data,
        allowed=("approve", "edit", "reject"),
        execution_id=row.pk,
        schema=tool.schema(),
        effects=tuple({"weight": effect.weight, "text": effect.text} for effect in effects),
        terms=policies.terms(session.project_id, row.policy_rule, row.policy_version),
        policy_rule=row.policy_rule,
        policy_version=row.policy_version,
    )
