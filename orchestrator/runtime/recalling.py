"""Results of equal work, for the tools and the model of one attempt. What is reused stands in the ledger as such."""

from typing import Any
from uuid import UUID

from agents.checkpoints.connections import scoped
from agents.graphs.ports import Usage
from agents.lifecycle import ReuseKind
from agents.models import ToolExecution
from agents.services import ledger, messages, reuse
from agents.services.reuse import Work
from orchestrator.conf import reuse_limits
from orchestrator.runtime.leases import Lease
from orchestrator.tools.tool import Caller, Reuse, Tool


def work_of(tool: Tool[Any], caller: Caller, arguments: dict[str, Any]) -> Work | None:
    """What a tool's result depends on; None where results of the tool are not reused."""
    if tool.reuse is None or not reuse_limits().life:
        return None
    inputs: dict[str, Any] = {"version": tool.version, "arguments": arguments}
    if tool.reuse is Reuse.MISSION:
        inputs["mission"] = str(caller.mission_id)
    return Work(caller.project_id, ReuseKind.TOOL, tool.name, inputs)


def answer(lease: Lease, work: Work, row: ToolExecution, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The kept result, with the call's row completed by it; None where there is none."""
    with lease.writing():
        kept = reuse.find(work)
        if kept is None:
            return None
        ledger.reuse(row, lease.holding.attempt, arguments, kept)
        return dict(kept.result)


def keep(work: Work, row: ToolExecution, output: dict[str, Any]) -> None:
    """Keep what a tool call came to."""
    with scoped():
        reuse.keep(work, output, origin_id=row.pk, life=reuse_limits().life)


class ModelRecall:
    """The model's kept replies in one project."""

    def __init__(self, lease: Lease, project_id: UUID) -> None:
        """For the session of `lease`."""
        self._lease = lease
        self._project_id = project_id

    def find(self, model: str, purpose: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The reply to the same question, charged to the session as reused; None without one."""
        with self._lease.writing() as session:
            kept = reuse.find(self._work(model, asked))
            if kept is None:
                return None
            messages.charge_reused(session, purpose, kept)
            return dict(kept.result)

    def keep(self, model: str, asked: dict[str, Any], reply: dict[str, Any], usage: Usage) -> None:
        """Keep a reply that fitted."""
        with scoped():
            reuse.keep(
                self._work(model, asked),
                reply,
                origin_id=usage.call_id,
                life=reuse_limits().life,
                tokens=usage.input_tokens + usage.output_tokens,
                cost=usage.dollars,
            )

    def _work(self, model: str, asked: dict[str, Any]) -> Work:
        return Work(self._project_id, ReuseKind.MODEL, model, asked)
