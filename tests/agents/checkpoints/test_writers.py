"""Writers that meet, are refused, or take back what they wrote."""

import asyncio
import operator
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event
from time import sleep
from typing import Annotated, Any, TypedDict

import pytest
from django.db import IntegrityError, connection, transaction
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agents.checkpoints import QueenrightSaver, ThreadMoved, scoped
from agents.errors import Fenced
from agents.lifecycle import SessionStatus
from agents.models import AgentSession, AgentState, ChannelVersion, StateValue, StateWrite
from tests.agents.checkpoints.checkpoints import checkpoint_of, config_for, put, read, values_of
from tests.agents.checkpoints.conftest import EnsureThread

LONG = "a text that is stored once " * 20
TABLES = (AgentState, ChannelVersion, StateWrite, StateValue)


def at_once(*tasks: Callable[[], object]) -> None:
    """Run them in threads that start together; raises what one of them raised."""
    barrier = Barrier(len(tasks))

    def run(task: Callable[[], object]) -> object:
        barrier.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for outcome in [pool.submit(run, task) for task in tasks]:
            outcome.result()


def assert_whole() -> None:
    """Every namespace has one current state, its newest, and every value that is named is there."""
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT session_id, checkpoint_ns FROM agent_states GROUP BY 1, 2
            HAVING count(*) FILTER (WHERE is_current) <> 1
                OR max(checkpoint_id::text) <> max(checkpoint_id::text) FILTER (WHERE is_current)""")
        assert cursor.fetchall() == []
        for table in ("agent_channel_versions", "agent_state_writes"):
            cursor.execute(f"""
                SELECT * FROM {table} named JOIN agent_sessions session USING (session_id), agent_items(items) item
                WHERE NOT EXISTS (SELECT FROM agent_values stored
                                  WHERE stored.space_id = session.space_id AND stored.hash = item.hash)""")
            assert cursor.fetchall() == []


def test_of_writers_of_one_thread_one_state_is_current(saver: QueenrightSaver, ensure_thread: EnsureThread):
    config = config_for()
    made: list[RunnableConfig] = []

    def write(writer: QueenrightSaver, name: str) -> None:
        stored = config
        for step in range(10):
            stored = put(writer, stored, {"c": f"{name} {step} {LONG}"})
            made.append(stored)

    others = [QueenrightSaver(ensure_thread=ensure_thread) for _ in range(2)]
    at_once(*[partial(write, writer, f"writer {n}") for n, writer in enumerate([saver, saver, *others])])
    assert_whole()
    assert AgentState.objects.count() == 40
    newest = max(made, key=lambda stored: stored["configurable"]["checkpoint_id"])
    assert read(saver, config).checkpoint["id"] == newest["configurable"]["checkpoint_id"]
    assert {str(found.config) for found in saver.list(config)} == {str(stored) for stored in made}


def test_an_older_checkpoint_that_comes_late_does_not_become_current(saver: QueenrightSaver):
    config, older, newer = config_for(), checkpoint_of({}, {}), checkpoint_of({}, {})
    saver.put(config, newer, {}, {})
    saver.put(config, older, {}, {})
    assert str(AgentState.objects.get(is_current=True).checkpoint_id) == newer["id"]


def test_the_database_itself_refuses_a_second_current_state(saver: QueenrightSaver):
    put(saver, put(saver, config_for(), {}), {})
    with pytest.raises(IntegrityError):
        AgentState.objects.update(is_current=True)


class Crowd:
    """Writers, deleters and readers of three threads of one mission; the last thread is never deleted."""

    def __init__(self, ensure_thread: EnsureThread) -> None:
        self.ensure_thread = ensure_thread
        self.threads = [config_for() for _ in range(3)]

    def write(self, thread: RunnableConfig) -> None:
        writer, stored = QueenrightSaver(ensure_thread=self.ensure_thread), thread
        for step in range(30):
            stored = put(writer, stored, {"c": LONG, "d": f"{step} {LONG}"})
            writer.put_writes(stored, [("c", LONG), ("e", f"{step % 3} {LONG}")], f"task {step}")

    def delete(self) -> None:
        deleter = QueenrightSaver()
        for _ in range(10):
            for config in self.threads[:2]:
                deleter.delete_thread(config["configurable"]["thread_id"])

    def look(self) -> None:
        reader = QueenrightSaver()
        for _ in range(20):
            for config in self.threads:
                reader.get_tuple(config)
                list(reader.list(config, limit=3))


def test_writers_and_deleters_in_one_mission_leave_it_whole(ensure_thread: EnsureThread):
    crowd = Crowd(ensure_thread)
    at_once(*[partial(crowd.write, thread) for thread in crowd.threads], crowd.delete, crowd.look)
    assert_whole()
    cold = QueenrightSaver()
    assert values_of(cold, crowd.threads[2]) == {"c": LONG, "d": f"29 {LONG}"}
    assert len(list(cold.list(crowd.threads[2]))) == 30
    crowd.look()


class Said(TypedDict):
    said: Annotated[list[str], operator.add]


def graph_of_one(saver: QueenrightSaver) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph that hears what is said."""
    graph = StateGraph(Said).add_node("hear", lambda state: {"said": ["heard"]}).add_edge(START, "hear")
    return graph.compile(saver)


def forks(config: RunnableConfig) -> list[Any]:
    """Checkpoints of a thread that more than one follows."""
    states = AgentState.objects.filter(session_id=config["configurable"]["thread_id"])
    parents = Counter(states.values_list("checkpoint_ns", "parent_id"))
    return [parent for parent, count in parents.items() if count > 1]


def wait_until_someone_waits() -> None:
    """Until another transaction waits for a lock of this one."""
    with connection.cursor() as cursor:
        for _ in range(3000):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
            sleep(0.01)
    pytest.fail("nobody came")


def test_a_save_that_meets_a_deletion_waits_and_plans_anew(saver: QueenrightSaver):
    first = put(saver, config_for(), {"text": LONG})
    versions = read(saver, first).checkpoint["channel_versions"]
    is_deleted = Event()

    def delete() -> None:
        with scoped(), transaction.atomic():
            QueenrightSaver().delete_thread(first["configurable"]["thread_id"])
            is_deleted.set()
            wait_until_someone_waits()

    def follow() -> None:
        assert is_deleted.wait(30)
        saver.put(first, checkpoint_of({"text": LONG}, versions), {}, {})

    at_once(delete, follow)
    assert values_of(QueenrightSaver(), config_for(first["configurable"]["thread_id"])) == {"text": LONG}
    assert_whole()


def test_first_writers_of_a_thread_make_one_session(ensure_thread: EnsureThread):
    config = config_for("one thread")
    at_once(*[lambda: put(QueenrightSaver(ensure_thread=ensure_thread), config, {"c": LONG})] * 4)
    assert AgentSession.objects.count() == 1
    assert_whole()


def test_a_save_belongs_to_the_transaction_around_it(saver: QueenrightSaver):
    config = config_for()
    with transaction.atomic():
        stored = put(saver, config, {"c": LONG})
        saver.put_writes(stored, [("c", LONG)], "task")
        assert values_of(saver, stored) == {"c": LONG}
        transaction.set_rollback(True)
    assert saver.get_tuple(config) is None
    assert [table.objects.count() for table in TABLES] == [0, 0, 0, 0]
    with transaction.atomic():
        put(saver, config, {"c": LONG})
    assert values_of(saver, config) == {"c": LONG}


@pytest.mark.parametrize("is_read", [False, True])
def test_nothing_is_built_on_a_save_that_was_rolled_back(saver: QueenrightSaver, is_read: bool):
    first = put(saver, config_for(), {"text": LONG, "plan": "a"})
    versions: ChannelVersions = {"text": "9", "plan": "9"}
    with transaction.atomic():
        second = saver.put(first, checkpoint_of({"text": LONG.upper(), "plan": "b"}, versions), {}, versions)
        if is_read:
            assert values_of(saver, second) == {"text": LONG.upper(), "plan": "b"}
        transaction.set_rollback(True)
    third = saver.put(second, checkpoint_of({}, versions), {}, {})
    assert values_of(saver, third) == {}
    assert_whole()


def test_a_deletion_that_was_rolled_back_changes_nothing(saver: QueenrightSaver):
    first = put(saver, config_for(), {"c": LONG})
    with transaction.atomic():
        saver.delete_thread(first["configurable"]["thread_id"])
        assert saver.get_tuple(first) is None
        transaction.set_rollback(True)
    assert values_of(saver, first) == {"c": LONG}
    versions = read(saver, first).checkpoint["channel_versions"]
    second = saver.put(first, checkpoint_of({}, versions), {}, {})
    assert values_of(saver, second) == {"c": LONG}


def test_a_lost_race_inside_a_transaction_does_not_spoil_it(saver: QueenrightSaver):
    config = config_for()
    put(saver, config, {})
    is_written = Event()

    def hold() -> None:
        with scoped(), transaction.atomic():
            put(saver, config, {"c": 1})
            is_written.set()
            wait_until_someone_waits()

    def follow() -> None:
        assert is_written.wait(30)
        with scoped(), transaction.atomic():
            AgentSession.objects.update(name="kept")
            put(saver, config, {"c": 2})

    at_once(hold, follow)
    assert AgentSession.objects.get().name == "kept"
    assert values_of(saver, config) == {"c": 2}
    assert_whole()


class Pass:
    """The permit of one attempt; notes what it is told."""

    def __init__(self, attempt: int | None) -> None:
        self.number = attempt
        self.told: list[str] = []

    def attempt(self) -> int | None:
        return self.number

    def refusal(self) -> Exception:
        return Fenced()

    def obey(self, control: str) -> None:
        self.told.append(control)


@pytest.fixture
def owner() -> Pass:
    return Pass(2)


@pytest.fixture
def fenced(ensure_thread: EnsureThread, owner: Pass) -> QueenrightSaver:
    """A saver whose config names the permit, without one the owner's."""
    return QueenrightSaver(
        ensure_thread=ensure_thread, fence=lambda config: config["configurable"].get("__permit", owner)
    )


@pytest.fixture
def running(fenced: QueenrightSaver, saver: QueenrightSaver) -> RunnableConfig:
    """A thread with a checkpoint, which the second attempt runs."""
    stored = put(saver, config_for(), {"c": LONG})
    AgentSession.objects.update(status=SessionStatus.RUNNING, attempt=2)
    return stored


def with_permit(stored: RunnableConfig, attempt: int | None) -> RunnableConfig:
    return {"configurable": {**stored["configurable"], "__permit": Pass(attempt)}}


def test_the_attempt_that_runs_a_session_writes_and_hears_what_a_person_wants(
    fenced: QueenrightSaver, running: RunnableConfig, owner: Pass
):
    stored = put(fenced, running, {"c": LONG.upper()})
    AgentSession.objects.update(control="pause")
    fenced.put_writes(stored, [("c", LONG)], "task")
    assert owner.told == ["", "pause"]
    assert values_of(fenced, stored) == {"c": LONG.upper()}


@pytest.mark.parametrize("attempt", [1, 3, None])
def test_a_write_that_the_fence_refuses_leaves_nothing(
    fenced: QueenrightSaver, running: RunnableConfig, attempt: int | None
):
    before = [table.objects.count() for table in TABLES]
    config = with_permit(running, attempt)
    with pytest.raises(Fenced):
        put(fenced, config, {"c": LONG.upper()})
    with pytest.raises(Fenced):
        fenced.put_writes(config, [("c", LONG.upper())], "task")
    with pytest.raises(Fenced):
        asyncio.run(fenced.aput_writes(config, [("c", LONG.upper())], "task"))
    assert [table.objects.count() for table in TABLES] == before
    put(fenced, running, {"c": LONG.upper()})


@pytest.mark.parametrize(("status", "attempt"), [(SessionStatus.PAUSED, 2), (SessionStatus.RUNNING, None)])
def test_who_runs_it_writes_while_it_runs_and_others_while_nobody_does(
    fenced: QueenrightSaver, running: RunnableConfig, status: SessionStatus, attempt: int | None
):
    AgentSession.objects.update(status=status)
    with pytest.raises(Fenced):
        put(fenced, with_permit(running, attempt), {})
    AgentSession.objects.update(status=SessionStatus.PAUSED if attempt is None else SessionStatus.RUNNING)
    put(fenced, with_permit(running, attempt), {})


def test_a_refusal_inside_a_transaction_takes_back_the_save_only(fenced: QueenrightSaver, running: RunnableConfig):
    with transaction.atomic():
        AgentSession.objects.update(name="kept")
        with pytest.raises(Fenced):
            put(fenced, with_permit(running, 1), {})
    assert AgentSession.objects.get().name == "kept"
    assert AgentState.objects.count() == 1


def test_a_deletion_is_no_refusal(fenced: QueenrightSaver, running: RunnableConfig):
    put(fenced, running, {"c": LONG})
    QueenrightSaver().prune([running["configurable"]["thread_id"]])
    put(fenced, running, {"c": LONG})


def test_a_fenced_write_holds_off_the_next_attempt_until_it_is_in(fenced: QueenrightSaver, running: RunnableConfig):
    @scoped()
    def claimable() -> int:
        with transaction.atomic():
            return len(AgentSession.objects.select_for_update(skip_locked=True, no_key=True))

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            put(fenced, running, {})
            assert pool.submit(claimable).result() == 0
        assert pool.submit(claimable).result() == 1


def test_of_two_runs_that_follow_one_state_the_second_is_refused(saver: QueenrightSaver):
    first = put(saver, config_for(), {"c": 1})
    thread = config_for(first["configurable"]["thread_id"])
    one, other = read(saver, thread).config, read(saver, thread).config
    again = saver.put(one, kept := checkpoint_of({}, {}), {"source": "input", "step": 1}, {})
    assert saver.put(one, kept, {"source": "input", "step": 1}, {}) == again  # not known to be stored, put once more
    with pytest.raises(ThreadMoved):
        saver.put(other, checkpoint_of({}, {}), {"source": "input", "step": 1}, {})
    assert [found.config["configurable"]["checkpoint_id"] for found in saver.list(thread)] == [
        kept["id"],
        first["configurable"]["checkpoint_id"],
    ]


def test_runs_that_begin_a_thread_at_once_begin_it_once(ensure_thread: EnsureThread):
    config = config_for()
    refused: list[ThreadMoved] = []

    def begin() -> None:
        try:
            graph_of_one(QueenrightSaver(ensure_thread=ensure_thread)).invoke({"said": ["hello"]}, config)
        except ThreadMoved as error:
            refused.append(error)

    at_once(*[begin] * 4)
    assert len(refused) == 3
    assert forks(config) == []


def test_runs_that_go_on_at_once_never_fork_the_thread_unasked(saver: QueenrightSaver, ensure_thread: EnsureThread):
    config = config_for()
    graph_of_one(saver).invoke({"said": ["hello"]}, config)
    outcomes: Counter[str] = Counter()

    def go_on(name: str) -> None:
        graph = graph_of_one(QueenrightSaver(ensure_thread=ensure_thread))
        for turn in range(5):
            try:
                graph.invoke({"said": [f"{name} {turn}"]}, config, durability="sync")
                outcomes["through"] += 1
            except ThreadMoved:
                outcomes["refused"] += 1

    at_once(*[partial(go_on, name) for name in "abc"])
    assert forks(config) == []
    assert outcomes["through"] + outcomes["refused"] == 15
    assert outcomes["through"] >= 1
    graph_of_one(saver).update_state(config, {"said": ["by hand"]})
    assert read(saver, config).checkpoint["channel_values"]["said"][-1] == "by hand"


def test_a_fork_that_is_asked_for_is_made_and_followed(saver: QueenrightSaver):
    config, graph = config_for(), graph_of_one(saver)
    graph.invoke({"said": ["one"]}, config)
    kept = graph.get_state(config).config
    graph.invoke({"said": ["two"]}, config)
    graph.invoke({"said": ["instead"]}, kept)
    graph.update_state(kept, {"said": ["by hand"]})
    graph.invoke({"said": ["three"]}, config)
    assert [text for text in graph.get_state(config).values["said"] if text != "heard"] == ["one", "by hand", "three"]
    assert len(forks(config)) == 1


def test_a_waiting_save_does_not_hold_up_the_event_loop(saver: QueenrightSaver):
    stored = put(saver, config_for(), {})

    async def run() -> None:
        locked, release = Event(), Event()

        def lock() -> None:
            with scoped() as held, transaction.atomic(), held.cursor() as cursor:
                cursor.execute("SELECT FROM agent_value_spaces FOR UPDATE")
                locked.set()
                assert release.wait(30)

        holder = asyncio.create_task(asyncio.to_thread(lock))
        assert await asyncio.to_thread(locked.wait, 30)
        save = asyncio.create_task(saver.aput_writes(stored, [("c", LONG)], "task"))
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert not save.done()
        release.set()
        await asyncio.gather(holder, save)

    asyncio.run(run())
    assert read(saver, stored).pending_writes == [("task", "c", LONG)]
