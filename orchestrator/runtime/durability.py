"""When the states of an agent are written, and what holds back those that are not to be written yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

from django.db import transaction
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple

from agents.checkpoints.connections import scoped
from agents.checkpoints.saver import QueenrightSaver

_SENT = "__pregel_tasks"  # LangGraph's channel of what was sent to nodes
_DELTAS = "counters_since_delta_snapshot"  # its metadata of channels that are rebuilt from writes on ancestors


@dataclass(frozen=True, slots=True)
class Durability:
    """When states are written: after each step that ran one of the nodes in `nodes`; None: after every step.

    In any case before a tool is called, and whenever the graph stops: at a question, an error, a pause, its end.
    """

    nodes: frozenset[str] | None = None


EVERY_STEP = Durability()
AT_EXIT = Durability(frozenset())


def after(*nodes: str) -> Durability:
    """States are written after steps that ran one of these nodes of the agent's own graph."""
    return Durability(frozenset(nodes))


@dataclass(frozen=True, slots=True)
class HeldState:
    """What `put` was called with."""

    config: RunnableConfig
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    new_versions: ChannelVersions

    def instead_of(self, earlier: Sequence["HeldState"]) -> "HeldState":
        """This state on top of what the first of the earlier ones was on top of, with all that is new since then."""
        if not earlier:
            return self
        versions = self.checkpoint["channel_versions"]
        since = {channel: number for one in earlier for channel, number in one.new_versions.items()}
        still = {channel: number for channel, number in since.items() if versions.get(channel) == number}
        return replace(self, config=earlier[0].config, new_versions={**still, **self.new_versions})

    def write(self, saver: QueenrightSaver) -> None:
        """Store it. The base class's method: a saver that holds back would get it again."""
        QueenrightSaver.put(saver, self.config, self.checkpoint, self.metadata, self.new_versions)


@dataclass(frozen=True, slots=True)
class HeldWrites:
    """What `put_writes` was called with."""

    config: RunnableConfig
    writes: Sequence[tuple[str, Any]]
    task_id: str
    task_path: str

    def write(self, saver: QueenrightSaver) -> None:
        """Store them."""
        QueenrightSaver.put_writes(saver, self.config, self.writes, self.task_id, self.task_path)


@dataclass(frozen=True, slots=True)
class _Step:
    """What a state tells of the steps around it: the versions that each node has seen, and what was sent to nodes."""

    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sent: frozenset[str] = frozenset()

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "_Step":
        """Copied, for LangGraph goes on working in what it has loaded."""
        seen = {node: dict(versions) for node, versions in checkpoint["versions_seen"].items()}
        sent = checkpoint["channel_values"].get(_SENT) or ()
        return cls(seen, frozenset(one.node for one in sent))

    def nodes_since(self, before: "_Step") -> frozenset[str]:
        """The nodes that ran between the two: one that is triggered has seen a version that it had not seen."""
        return before.sent | {node for node, versions in self.seen.items() if versions != before.seen.get(node)}


class Held:
    """The states of one run that are not written yet. What they stand on is written.

    A state is dropped when the run has gone on to the next one, with what tasks wrote on top of it; the next one
    takes its place on its parent. Only where channels are rebuilt from such writes are all of them kept. All is
    written in one transaction: after a death there is the one state or the other.
    """

    def __init__(self, saver: QueenrightSaver, nodes: frozenset[str]) -> None:
        """To be written by `saver`, after each step that ran one of the nodes."""
        self._saver = saver
        self._nodes = nodes
        self._lock = RLock()
        self._kept: dict[str, list[HeldState | HeldWrites]] = {}
        self._passed: set[str] = set()
        self._step = _Step()

    def goes_on_from(self, found: CheckpointTuple) -> None:
        """The run has loaded this state."""
        if not found.config["configurable"].get("checkpoint_ns"):
            self._step = _Step.of(found.checkpoint)

    def put(self, state: HeldState) -> None:
        """Keep a state; write all that is held if it is one to be written."""
        names = state.config["configurable"]
        ns = names.get("checkpoint_ns", "")
        with self._lock:
            kept = self._kept.setdefault(ns, [])
            self._passed.add(names.get("checkpoint_id") or "")
            if not state.metadata.get(_DELTAS):
                state = state.instead_of([one for one in kept if isinstance(one, HeldState)])
                kept.clear()
            kept.append(state)
            if not ns:
                before, self._step = self._step, _Step.of(state.checkpoint)
                if self._nodes & self._step.nodes_since(before):
                    self.write()

    def put_writes(self, writes: HeldWrites) -> None:
        """Keep what a task wrote, unless the run has gone on already."""
        names = writes.config["configurable"]
        with self._lock:
            if names["checkpoint_id"] not in self._passed:
                self._kept.setdefault(names.get("checkpoint_ns", ""), []).append(writes)

    def write_for(self, ns: str) -> None:
        """A namespace is to be read: write all, if something of it is held."""
        with self._lock:
            if self._kept.get(ns):
                self.write()

    def write(self) -> None:
        """Write what is held. Raises what the saver and its fence raise; then it is still held."""
        with self._lock:
            if not any(self._kept.values()):
                return
            with scoped(), transaction.atomic():
                for kept in self._kept.values():
                    for one in kept:
                        one.write(self._saver)
            self._kept.clear()
