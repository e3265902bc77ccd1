"""Puts together the tasks of one delegation that are the same, or so much alike that one agent does them at once.

It depends on the tasks and the embedder alone. What was put together is kept with the agents that were started, so an
answer finds its tasks whatever a later version would have put together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.events.digests import digest
from agents.graphs.ports import ChildTask

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Batching:
    """Which tasks of a delegation one agent of a type does together, where the agent above waits for all of them.

    Equal ones are done once. Others go together up to `most` and up to so many `tokens` of what they read, if the
    cosine of their goals is at least `alike`, or at least this share of what the smaller one reads is `shared`.
    """

    most: int = 3
    tokens: int = 1_500
    alike: float = 0.75
    shared: float = 0.5

    def __post_init__(self) -> None:
        """Raise ValueError for what makes no sense."""
        if self.most < 1 or self.tokens < 0:
            raise ValueError(f"a batch has 1 task or more and 0 tokens or more, not {self.most} and {self.tokens}")

    def of_mission(self, metadata: Mapping[str, Any]) -> "Batching":
        """The rule as the mission has it: its own `batching` says how many tasks and tokens a batch may have."""
        given = metadata.get("batching") or {}
        return replace(self, **{name: int(given[name]) for name in ("most", "tokens") if name in given})


@dataclass(slots=True)
class Together:
    """Tasks for one agent: one of each that are equal, and the places in the delegation that each answers."""

    tasks: list[ChildTask] = field(default_factory=list)
    positions: list[list[int]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Of what they read."""
        return sum(task.tokens for task in self.tasks)

    def asked(self) -> dict[str, Any]:
        """The agent that does them, as it is asked for."""
        first, *others = self.tasks
        return {
            "agent_type": first.agent_type,
            "name": f"{first.name} and {len(others)} more" if others else first.name,
            "goal": "\n".join(dict.fromkeys(task.goal for task in self.tasks)),
            "input": {"tasks": [input_of(task) for task in self.tasks]} if others else input_of(first),
            "batch": [
                {"name": task.name, "positions": places}
                for task, places in zip(self.tasks, self.positions, strict=True)
            ],
        }


def input_of(task: ChildTask) -> dict[str, Any]:
    """A task's input as JSON."""
    given: dict[str, Any] = task.input.model_dump(mode="json")
    return given


def put_together(tasks: Sequence[ChildTask], rule: Callable[[str], Batching | None], embed: Embed) -> list[Together]:
    """All tasks, in the order of the first of each agent. One with a deadline or budget of its own stays alone."""
    once = _once(tasks, rule)
    may_join = [place for place, one in enumerate(once) if _may_join(one.tasks[0], rule)]
    if len(may_join) < 2:
        return once
    vectors = dict(zip(may_join, embed([once[place].tasks[0].goal for place in may_join]), strict=True))
    made: list[tuple[int, Together]] = []
    for place, one in enumerate(once):
        found = next((batch for first, batch in made if _fits(batch, first, one, place, vectors, rule)), None)
        if found is None:
            made.append((place, Together(list(one.tasks), list(one.positions))))
        else:
            found.tasks += one.tasks
            found.positions += one.positions
    return [batch for _, batch in made]


def _once(tasks: Sequence[ChildTask], rule: Callable[[str], Batching | None]) -> list[Together]:
    known: dict[str, Together] = {}
    for place, task in enumerate(tasks):
        what = [task.agent_type, task.goal, input_of(task)]
        key = digest(what) if rule(task.agent_type) and _is_free(task) else str(place)
        if key in known:
            known[key].positions[0].append(place)
        else:
            known[key] = Together([task], [[place]])
    return list(known.values())


def _is_free(task: ChildTask) -> bool:
    return task.seconds is None and task.limits is None


def _may_join(task: ChildTask, rule: Callable[[str], Batching | None]) -> bool:
    found = rule(task.agent_type)
    return found is not None and found.most > 1 and task.tokens < found.tokens and _is_free(task)


def _fits(
    batch: Together,
    first: int,
    one: Together,
    place: int,
    vectors: Mapping[int, NDArray[np.float32]],
    rule: Callable[[str], Batching | None],
) -> bool:
    """May these join a batch whose first task is at `first`?"""
    mine, theirs = one.tasks[0], batch.tasks[0]
    found = rule(mine.agent_type)
    if found is None or mine.agent_type != theirs.agent_type or first not in vectors or place not in vectors:
        return False
    if len(batch.tasks) >= found.most or batch.tokens + mine.tokens > found.tokens:
        return False
    return _overlap(mine, theirs) >= found.shared or float(vectors[first] @ vectors[place]) >= found.alike


def _overlap(one: ChildTask, other: ChildTask) -> float:
    mine, theirs = set(one.reads), set(other.reads)
    return len(mine & theirs) / min(len(mine), len(theirs)) if mine and theirs else 0.0
