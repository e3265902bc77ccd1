"""Any history of a thread reads as LangGraph's in-memory saver reads it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from agents.checkpoints import QueenrightSaver
from tests.agents.checkpoints.checkpoints import checkpoint_of, config_for, identical, read
from tests.agents.checkpoints.conftest import EnsureThread

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | TEXT
    | st.binary(max_size=200)
    | TEXT.map(AIMessage)
)
SHORT = st.sampled_from(["a", "b", 1, -0.0, None, True])
VALUES = SHORT | st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
CHANNELS = st.sampled_from(["messages", "plan", "note", "__start__"])
EMPTIED = object()
EDITS = st.dictionaries(CHANNELS, VALUES | st.just(EMPTIED), max_size=2)
WRITES = st.lists(
    st.tuples(st.sampled_from(["messages", "__interrupt__", "__resume__", "__error__"]), VALUES), max_size=3
)
PATHS = st.sampled_from(["", "~__pregel_pull, a", "~__pregel_push, 1", "~__pregel_push, 10"])
TASKS = st.sampled_from(["task-1", "task-2", "Task-3"])


class Step(NamedTuple):
    """A checkpoint on top of an earlier one (or a twin of it), and what a task then wrote."""

    ns: str
    place: int
    is_twin: bool
    edits: dict[str, Any]
    leave_out: bool
    writes: list[tuple[str, Any]]
    path: str
    task: str
    is_elsewhere: bool


STEPS = st.builds(
    Step,
    ns=st.sampled_from(["", "", "child:1"]),
    place=st.integers(0, 5),
    is_twin=st.sampled_from([False, False, False, True]),
    edits=EDITS,
    leave_out=st.booleans(),
    writes=WRITES,
    path=PATHS,
    task=TASKS,
    is_elsewhere=st.booleans(),
)


class Known(NamedTuple):
    """A checkpoint that was put."""

    config: RunnableConfig
    values: dict[str, Any]
    versions: ChannelVersions


class Histories:
    """The same history in two savers."""

    def __init__(self, make: Callable[[], QueenrightSaver]) -> None:
        self.make = make
        self.ours = make()
        self.theirs = InMemorySaver()
        self.thread = config_for()["configurable"]["thread_id"]
        self.known: dict[str, list[Known]] = {}

    def take(self, step: Step) -> None:
        """One step, in both savers; perhaps in another process."""
        if step.is_elsewhere:
            self.ours = self.make()
        known = self.known.setdefault(step.ns, [])
        if step.is_twin and known:
            self.twin(step, known)
        else:
            self.put(step, known)
        for saver in self.savers:
            saver.put_writes(known[-1 - step.place % len(known)][0], step.writes, step.task, step.path)

    def put(self, step: Step, known: list[Known]) -> None:
        """A checkpoint on top of any earlier one. A caller may leave out the values that did not change."""
        nothing = Known(config_for(self.thread, step.ns), {}, {})
        config, values, versions = known[-1 - step.place % len(known)] if known else nothing
        fresh: ChannelVersions = {
            channel: self.ours.get_next_version(str(versions.get(channel, "")), None) for channel in step.edits
        }
        values, versions = {**values, **step.edits}, {**versions, **fresh}
        values = {channel: value for channel, value in values.items() if value is not EMPTIED}
        given = {c: value for c, value in values.items() if c in step.edits or not step.leave_out}
        checkpoint = checkpoint_of(given, versions)
        for saver in self.savers:
            stored = saver.put(config, checkpoint, {"source": "loop", "step": len(known)}, dict(fresh))
        known.append(Known(stored, values, versions))

    def twin(self, step: Step, known: list[Known]) -> None:
        """A twin of any checkpoint beside it, as LangGraph forks one: everything given, nothing new."""
        config, values, versions = known[-1 - step.place % len(known)]
        parent = read(self.ours, config).parent_config or config_for(self.thread, step.ns)
        twin = checkpoint_of(values, versions)
        for saver in self.savers:
            stored = saver.put(parent, twin, {"source": "fork", "step": len(known)}, {})
        known.append(Known(stored, values, versions))

    @property
    def savers(self) -> list[BaseCheckpointSaver[str]]:
        return [self.ours, self.theirs]

    def check(self, saver: QueenrightSaver) -> None:
        """Both tell the same history."""
        for ns, known in self.known.items():
            for config in [*(one.config for one in known), config_for(self.thread, ns)]:
                assert_same(saver.get_tuple(config), self.theirs.get_tuple(config))
            thread = config_for(self.thread, ns)
            ours, theirs = list(saver.list(thread)), list(self.theirs.list(thread))
            assert len(ours) == len(theirs) == len(known)
            for one, other in zip(ours, theirs, strict=True):
                assert_same(one, other)


def assert_same(ours: CheckpointTuple | None, theirs: CheckpointTuple | None) -> None:
    assert ours is not None
    assert theirs is not None
    assert ours.config["configurable"] == theirs.config["configurable"]
    assert (ours.parent_config or {}) == (theirs.parent_config or {})
    assert ours.metadata == theirs.metadata
    one, other = dict(ours.checkpoint), dict(theirs.checkpoint)
    assert sorted_identical(one.pop("channel_values"), other.pop("channel_values"))
    assert one == other
    assert identical(ours.pending_writes, theirs.pending_writes)


def sorted_identical(one: Any, other: Any) -> bool:
    """Channels have no order; their values have."""
    return identical(dict(sorted(one.items())), dict(sorted(other.items())))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=1, max_size=8))
def test_any_history_with_forks_equals_the_in_memory_one(ensure_thread: EnsureThread, steps: list[Step]):
    histories = Histories(lambda: QueenrightSaver(ensure_thread=ensure_thread))
    for step in steps:
        histories.take(step)
    histories.check(histories.ours)
    histories.check(histories.make())
