"""The agents below, as a graph sees them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.events.digests import digest
from agents.graphs.ports import ChildOutcome, ChildTask
from agents.lifecycle import ChildrenNeeded, WaitKind
from memory import embedders
from orchestrator.runtime import agent_types
from orchestrator.runtime.asking import ask
from orchestrator.runtime.batching import Batching, put_together


class Delegation:
    """Starts children by asking for them: the rows are made when the agent has parked, never in the node."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        """`metadata` is the mission's, which may say how its tasks are put together."""
        self._metadata = metadata

    def delegate(
        self,
        tasks: Sequence[ChildTask],
        *,
        key: str,
        reason: str,
        needs: ChildrenNeeded = ChildrenNeeded.ALL,
        needed: int = 0,
        others_go_on: bool = False,
    ) -> Sequence[ChildOutcome]:
        """Start one child a task and wait until enough are back; outcomes in the order of `tasks`."""
        asked = [
            {
                "agent_type": task.agent_type,
                "name": task.name,
                "goal": task.goal,
                "input": task.input.model_dump(mode="json"),
            }
            | ({} if task.seconds is None else {"seconds": task.seconds})
            | ({} if task.limits is None else {"limits": {k: str(v) for k, v in task.limits.given().items()}})
            for task in tasks
        ]
        answer: list[dict[str, Any]] = ask(
            WaitKind.CHILDREN,
            f"children:{key}:{digest(asked)[:16]}",
            subject=_subject(tasks),
            reason=reason,
            tasks=self._put_together(tasks, asked) if needs is ChildrenNeeded.ALL else asked,
            needs=str(needs),
            needed=needed,
            others_go_on=others_go_on,
        )
        return [
            ChildOutcome(
                session_id=UUID(child["session_id"]),
                name=child["name"],
                status=child["status"],
                output=child["output"],
                error=child["error"],
                missing=child.get("missing", ""),
                ended_at=datetime.fromisoformat(child["ended_at"]) if child["ended_at"] else None,
            )
            for child in answer
        ]

    def _put_together(self, tasks: Sequence[ChildTask], asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The agents to ask for: the tasks as they are, unless some are put together."""
        made = put_together(tasks, self._rule, lambda texts: embedders.active().embed(texts))
        return asked if len(made) == len(tasks) else [one.asked() for one in made]

    def _rule(self, agent_type: str) -> Batching | None:
        rule = agent_types.agent_type(agent_type).batching
        return rule and rule.of_mission(self._metadata)


def _subject(tasks: Sequence[ChildTask]) -> str:
    if len(tasks) == 1:
        return tasks[0].name
    return f"{len(tasks)} agents"
