"""Any history of a thread reads as LangGraph's in-memory saver reads it."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from agents.checkpoints import QueenrightSaver
from tests.agents.checkpoints.checkpoints import checkpoint_of, config_for, identical, read
from tests.agents.checkpoints.conftest import EnsureThread
from tests.agents.checkpoints.test_writers import TABLES, assert_whole

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


LONG = "a text that is stored once " * 8
ITEMS = st.integers(0, 9).map(lambda n: f"{n} {LONG}") | st.integers(0, 9).map(lambda n: AIMessage(LONG, id=str(n)))
CUTS = st.tuples(st.integers(0, 12), st.integers(0, 4), st.lists(ITEMS, max_size=4))


class Step(NamedTuple):
    """A checkpoint on top of an earlier one (or a twin of it), and what a task then wrote.

    `cut` replaces some items of the channel "list": where, how many, by what.
    """

    ns: str
    place: int
    is_twin: bool
    edits: dict[str, Any]
    cut: tuple[int, int, list[Any]]
    run: str
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
    cut=CUTS,
    run=st.sampled_from(["one", "two", "three"]),
    leave_out=st.booleans(),
    writes=WRITES,
    path=PATHS,
    task=TASKS,
    is_elsewhere=st.booleans(),
)


class Prune(NamedTuple):
    """All but the newest go."""

    keep: int


class DeleteRuns(NamedTuple):
    """The checkpoints of some runs go."""

    runs: list[str]


class Copy(NamedTuple):
    """Another thread gets all of this one."""


ACTIONS = st.one_of(
    STEPS,
    STEPS,
    STEPS,
    st.builds(Prune, keep=st.integers(1, 3)),
    st.builds(DeleteRuns, runs=st.lists(st.sampled_from(["one", "two", "none"]), max_size=2)),
    st.builds(Copy),
)


class Known(NamedTuple):
    """A checkpoint that was put and is still there."""

    config: RunnableConfig
    values: dict[str, Any]
    versions: ChannelVersions
    parent: object = None
    run: str = ""
    is_loop: bool = True

    @property
    def id(self) -> str:
        """Its id."""
        return self.config["configurable"]["checkpoint_id"]


class Histories:
    """The same history in two savers."""

    def __init__(self, make: Callable[[], QueenrightSaver]) -> None:
        self.make = make
        self.ours = make()
        self.theirs = InMemorySaver()
        self.thread = config_for()["configurable"]["thread_id"]
        self.known: dict[str, list[Known]] = {}
        self.asking: set[str] = set()
        self.bases: set[object] = set()

    def take(self, action: Step | Prune | DeleteRuns | Copy) -> None:
        """One action, in both savers; perhaps in another process."""
        if isinstance(action, Step):
            self.step(action)
        elif isinstance(action, Prune):
            self.prune(action.keep)
        elif isinstance(action, DeleteRuns):
            self.ours.delete_for_runs(action.runs)
            self.keep(lambda one, among: one.run not in action.runs)
        else:
            self.copy()

    def step(self, step: Step) -> None:
        """A checkpoint and writes."""
        if step.is_elsewhere:
            self.ours = self.make()
        known = self.known.setdefault(step.ns, [])
        if step.is_twin and known:
            self.twin(step, known)
        else:
            self.put(step, known)
        chosen = known[-1 - step.place % len(known)]
        if any(channel == "__interrupt__" for channel, _ in step.writes):
            self.asking.add(chosen.id)
        for saver in self.savers:
            saver.put_writes(chosen.config, step.writes, step.task, step.path)

    def prune(self, keep: int) -> None:
        """Names, bases of forks and open questions stay; the in-memory saver has no pruning, so the rules are here."""
        self.ours.prune([self.thread], keep=keep)
        for among in self.known.values():
            parents = [one.parent for one in among]
            self.bases |= {parent for parent in parents if parent is not None and parents.count(parent) > 1}

        def stays(one: Known, among: list[Known]) -> bool:
            newest = sorted(other.id for other in among)[-keep:]
            is_answered = any(other.parent == one.id and other.is_loop for other in among)
            return one.id in newest or one.id in self.bases or (one.id in self.asking and not is_answered)

        self.keep(stays)

    def keep(self, stays: Callable[[Known, list[Known]], bool]) -> None:
        """Only these are expected from now on."""
        self.known = {ns: [one for one in among if stays(one, among)] for ns, among in self.known.items()}

    def copy(self) -> None:
        """A copy is the same history under another name."""
        copied = str(uuid4())
        self.ours.copy_thread(self.thread, copied)
        self.check(self.make(), copied)
        self.ours.delete_thread(copied)

    def put(self, step: Step, known: list[Known]) -> None:
        """A checkpoint on top of any earlier one. A caller may leave out the values that did not change."""
        nothing = Known(config_for(self.thread, step.ns), {}, {})
        base = known[-1 - step.place % len(known)] if known else nothing
        config, values, versions = base.config, base.values, base.versions
        edits = {**step.edits, "list": cut(values.get("list", []), *step.cut)}
        fresh: ChannelVersions = {
            channel: self.ours.get_next_version(str(versions.get(channel, "")), None) for channel in edits
        }
        values, versions = {**values, **edits}, {**versions, **fresh}
        values = {channel: value for channel, value in values.items() if value is not EMPTIED}
        given = {c: value for c, value in values.items() if c in edits or not step.leave_out}
        checkpoint = checkpoint_of(given, versions)
        for saver in self.savers:
            stored = saver.put(config, checkpoint, metadata(step, "loop"), dict(fresh))
        known.append(Known(stored, values, versions, config["configurable"].get("checkpoint_id"), step.run))

    def twin(self, step: Step, known: list[Known]) -> None:
        """A twin of any checkpoint beside it, as LangGraph forks one: everything given, nothing new."""
        base = known[-1 - step.place % len(known)]
        parent = read(self.ours, base.config).parent_config or config_for(self.thread, step.ns)
        twin = checkpoint_of(base.values, base.versions)
        for saver in self.savers:
            stored = saver.put(parent, twin, metadata(step, "fork"), {})
        known.append(Known(stored, base.values, base.versions, base.parent, step.run, is_loop=False))

    @property
    def savers(self) -> list[BaseCheckpointSaver[str]]:
        return [self.ours, self.theirs]

    def check(self, saver: QueenrightSaver, thread: str | None = None) -> None:
        """Both tell the same history, as far as it is still there; perhaps of a copy."""
        for ns, known in self.known.items():
            config = config_for(thread or self.thread, ns)
            expected = {one.id: renamed(self.theirs.get_tuple(one.config), thread) for one in known}
            found = {one.config["configurable"]["checkpoint_id"]: one for one in saver.list(config)}
            assert list(found) == sorted(expected, reverse=True)
            for checkpoint, one in found.items():
                assert_same(one, expected[checkpoint])
                assert_same(saver.get_tuple(one.config), one)
            newest = saver.get_tuple(config)
            assert (newest.config["configurable"]["checkpoint_id"] if newest else None) == max(expected, default=None)


def metadata(step: Step, source: Literal["loop", "fork"]) -> CheckpointMetadata:
    return {"source": source, "step": step.place, "run_id": step.run}


def cut(items: Any, start: int, count: int, new: list[Any]) -> list[Any]:
    """The items with some of them replaced."""
    return [*items[:start], *new, *items[start + count :]]


def renamed(found: CheckpointTuple | None, thread: str | None) -> CheckpointTuple | None:
    """The same checkpoint in another thread."""
    if found is None or thread is None:
        return found
    configs = [
        one and {**one, "configurable": {**one["configurable"], "thread_id": thread}}
        for one in (found.config, found.parent_config)
    ]
    return found._replace(config=configs[0], parent_config=configs[1])


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
@given(actions=st.lists(ACTIONS, min_size=1, max_size=10))
def test_any_history_equals_the_in_memory_one(ensure_thread: EnsureThread, actions: list[Any]):
    histories = Histories(lambda: QueenrightSaver(ensure_thread=ensure_thread))
    try:
        for action in actions:
            histories.take(action)
        histories.check(histories.ours)
        histories.check(histories.make())
        assert_whole()
    finally:
        histories.ours.prune([histories.thread], strategy="delete")
    assert [table.objects.count() for table in TABLES] == [0, 0, 0, 0]
