"""What one checkpoint tells of its step: which nodes come next, and what their tasks wrote on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agents.models import StateWrite

if TYPE_CHECKING:
    from langgraph.checkpoint.base import CheckpointTuple

# LangGraph's own channels: a trigger for each node, the tasks that were sent, marks of a task's outcome.
_TRIGGER = "branch:to:"
_SENT = "__pregel_tasks"
_INTERRUPT = "__interrupt__"
_ERROR = "__error__"
_OWN = ("__", _TRIGGER)


@dataclass(frozen=True, slots=True)
class Written:
    """What a task wrote into a channel."""

    channel: str
    value: Any


@dataclass(slots=True)
class Task:
    """One task that ran on top of a checkpoint. `outcome` is wrote, asked (it waits for an answer) or failed."""

    task_id: str
    node: str
    outcome: str = "wrote"
    writes: list[Written] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Step:
    """A checkpoint's step: the channels that it changed, the nodes that come next, the tasks that then ran."""

    changed: tuple[str, ...]
    next: tuple[str, ...]
    tasks: tuple[Task, ...]


def is_shown(channel: str) -> bool:
    """Whether a channel is the graph's state, and none of LangGraph's own."""
    return not channel.startswith(_OWN)


def step(session_id: UUID, found: CheckpointTuple) -> Step:
    """What a loaded checkpoint of a session tells. One query."""
    checkpoint = found.checkpoint
    values = checkpoint["channel_values"]
    sent = values.get(_SENT) or []
    triggered = [name.removeprefix(_TRIGGER) for name in values if name.startswith(_TRIGGER)]
    if "__start__" in values:
        triggered.insert(0, "__start__")
    return Step(
        changed=tuple(filter(is_shown, checkpoint.get("updated_channels") or ())),
        next=tuple(dict.fromkeys([*triggered, *(one.node for one in sent)])),
        tasks=_tasks(session_id, found, [one.node for one in sent]),
    )


def _tasks(session_id: UUID, found: CheckpointTuple, sent: Sequence[str]) -> tuple[Task, ...]:
    rows = StateWrite.objects.filter(
        session_id=session_id, checkpoint_ns="", checkpoint_id=UUID(found.checkpoint["id"])
    ).values_list("task_id", "task_path")
    nodes = {task_id: _node(path, sent) for task_id, path in rows}
    tasks: dict[str, Task] = {}
    for task_id, channel, value in found.pending_writes or ():
        task = tasks.setdefault(task_id, Task(task_id, nodes.get(task_id, "")))
        if channel in (_INTERRUPT, _ERROR):
            task.outcome = "asked" if channel == _INTERRUPT else "failed"
            task.writes.append(Written("question" if channel == _INTERRUPT else "error", _asked(value)))
        elif is_shown(channel):
            task.writes.append(Written(channel, value))
    return tuple(tasks.values())


def _asked(value: Any) -> Any:
    """The questions of interrupts; anything else as it is."""
    if isinstance(value, list | tuple) and all(hasattr(one, "value") for one in value):
        return value[0].value if len(value) == 1 else [one.value for one in value]
    return value


def _node(path: str, sent: Sequence[str]) -> str:
    """The node of a task, from its path: `~__pregel_pull, name`, or `~__pregel_push, index` of what was sent."""
    kind, _, rest = path.partition(", ")
    if not kind.endswith("push"):
        return rest
    index = rest.partition(",")[0]
    return sent[int(index)] if index.isdecimal() and int(index) < len(sent) else ""
