"""What happens when stored states are not what was saved."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, transaction
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, MessagesState, StateGraph

from agents.checkpoints import Damage, QueenrightSaver, StateDamaged, scoped
from agents.models import AgentState, StateValue
from tests.agents.checkpoints.checkpoints import at, checkpoint_of, config_for, named, put, read, values_of
from tests.agents.checkpoints.conftest import EnsureThread
from tests.agents.checkpoints.test_writers import wait_until_someone_waits

LONG = "a text that is stored once " * 20


def run_sql(statement: str, *parameters: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


@pytest.fixture
def told() -> list[Damage]:
    return []


@pytest.fixture
def make_saver(ensure_thread: EnsureThread, told: list[Damage]) -> Callable[[], QueenrightSaver]:
    """A saver that remembers nothing yet and tells of damage."""
    return lambda: QueenrightSaver(ensure_thread=ensure_thread, on_damage=told.append)


def id_of(config: RunnableConfig) -> str:
    return str(config["configurable"]["checkpoint_id"])


def thread(config: RunnableConfig) -> RunnableConfig:
    return config_for(config["configurable"]["thread_id"])


def chain(saver: QueenrightSaver) -> list[RunnableConfig]:
    """Three checkpoints of one thread, each with a text of its own, a list that grows, and a task's write."""
    stored = config_for()
    made = []
    texts: list[str] = []
    for step in range(3):
        texts = [*texts, f"item {step} {LONG}"]
        stored = put(saver, stored, {"text": f"text {step} {LONG}", "short": [step], "plan": step, "list": texts}, step)
        saver.put_writes(stored, [("note", f"note {step} {LONG}")], f"task {step}", "path")
        made.append(stored)
    return made


def current(config: RunnableConfig) -> list[str]:
    found = AgentState.objects.filter(session_id=config["configurable"]["thread_id"], is_current=True)
    return [str(pk) for pk in found.values_list("checkpoint_id", flat=True)]


def marked() -> set[str]:
    return {str(pk) for pk in AgentState.objects.exclude(damaged_at=None).values_list("checkpoint_id", flat=True)}


NEWEST = "checkpoint_id = (SELECT max(checkpoint_id::text)::uuid FROM agent_states)"
DAMAGE = {
    "a value is changed": "UPDATE agent_values SET body = '\"other\"' WHERE body::text LIKE '\"text 2%'",
    "the kind of a value is changed": "UPDATE agent_values SET kind = 'message' WHERE body::text LIKE '\"text 2%'",
    "a value is lost": "DELETE FROM agent_values WHERE body::text LIKE '\"text 2%'",
    "an item is lost": "DELETE FROM agent_values WHERE body::text LIKE '\"item 2%'",
    "an item is left out": f"""UPDATE agent_channel_versions version SET items = '' FROM agent_states state
        WHERE {NEWEST} AND version.version = state.state_data -> 'channel_versions' ->> 'list'""",
    "a short value is changed": "UPDATE agent_channel_versions SET body = '[7]' WHERE body::text = '[2]'",
    "a channel is lost": f"""DELETE FROM agent_channel_versions version USING agent_states state
        WHERE {NEWEST} AND version.version = state.state_data -> 'channel_versions' ->> 'text'""",
    "a scalar is changed": f"""UPDATE agent_states
        SET state_data = jsonb_set(state_data, '{{channel_values,plan}}', '7') WHERE {NEWEST}""",
    "what nodes have seen is changed": f"""UPDATE agent_states
        SET state_data = jsonb_set(state_data, '{{versions_seen}}', '{{}}') WHERE {NEWEST}""",
    "the metadata are changed": f"UPDATE agent_states SET metadata = metadata || '{{\"step\": 7}}' WHERE {NEWEST}",
    "the state is no state": f"UPDATE agent_states SET state_data = '3' WHERE {NEWEST}",
    "the channels are no channels": f"""UPDATE agent_states
        SET seal = NULL, state_data = jsonb_set(state_data, '{{channel_versions}}', '"a"') WHERE {NEWEST}""",
    "the hash is changed": f"UPDATE agent_states SET state_hash = 'other' WHERE {NEWEST}",
}


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_latest_state_gives_way_to_the_one_before_it(make_saver, told, statement: str):
    made = chain(make_saver())
    run_sql(statement)
    found = read(make_saver(), thread(made[2]))
    assert named(found.config) == made[1]
    assert found.checkpoint["channel_values"]["text"] == f"text 1 {LONG}"
    assert found.pending_writes == [("task 1", "note", f"note 1 {LONG}")]
    assert [(str(one.checkpoint_id), str(one.gave_way_to)) for one in told] == [(id_of(made[2]), id_of(made[1]))]
    assert marked() == {id_of(made[2])}
    assert current(made[2]) == [id_of(made[1])]


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_state_that_is_named_is_not_replaced_by_another(make_saver, told, statement: str):
    made = chain(make_saver())
    run_sql(statement)
    for _ in range(2):
        with pytest.raises(StateDamaged, match=id_of(made[2])) as raised:
            make_saver().get_tuple(made[2])
        assert raised.value.data["checkpoint_id"] == id_of(made[2])
        with pytest.raises(StateDamaged, match=id_of(made[2])):
            list(make_saver().list(made[2]))
    assert [str(one.checkpoint_id) for one in told] == [id_of(made[2])]
    assert current(made[2]) == [id_of(made[1])]


def test_a_run_goes_on_from_the_state_that_took_the_place(make_saver, told):
    made = chain(make_saver())
    run_sql("UPDATE agent_values SET body = '1' WHERE body::text LIKE '\"text 2%'")
    saver = make_saver()
    again = put(saver, read(saver, thread(made[2])).config, {"text": f"text 2 {LONG}"})
    cold = read(make_saver(), thread(made[2]))
    assert named(cold.config) == again
    assert cold.parent_config == made[1]
    assert cold.checkpoint["channel_values"] == {"text": f"text 2 {LONG}"}  # stored anew: it was removed
    assert current(made[2]) == [id_of(again)]
    assert len(told) == 1


def test_a_save_that_meets_the_removal_of_a_value_stores_it_anew(make_saver):
    first = put(make_saver(), config_for(), {"text": LONG})
    other, is_removed = put(make_saver(), config_for(), {"plan": 1}), Event()
    run_sql("UPDATE agent_values SET body = '1'")

    def look() -> None:
        with scoped(), transaction.atomic():
            with pytest.raises(StateDamaged):
                make_saver().get_tuple(first)
            is_removed.set()
            wait_until_someone_waits()

    def save() -> RunnableConfig:
        assert is_removed.wait(60)
        with scoped():
            return put(make_saver(), other, {"text": LONG})

    with ThreadPoolExecutor(2) as pool:
        looking, saving = pool.submit(look), pool.submit(save)
        looking.result()
        assert values_of(make_saver(), saving.result()) == {"text": LONG}


def test_nothing_that_is_sound_is_passed_over_and_nothing_of_another_branch_is_taken(make_saver):
    saver = make_saver()
    made = chain(saver)
    branch = put(saver, made[0], {"text": f"branch {LONG}"})
    run_sql("UPDATE agent_values SET body = '1' WHERE body::text LIKE '\"branch%'")
    assert at(make_saver(), thread(branch)) == made[0]
    again = put(saver, made[0], {"text": "again"})
    assert at(make_saver(), thread(branch)) == again


def test_all_that_share_what_is_lost_are_marked(make_saver, told):
    made = chain(make_saver())
    run_sql("DELETE FROM agent_values WHERE body::text LIKE '\"item 1%'")
    assert at(make_saver(), thread(made[2])) == made[0]
    assert marked() == {id_of(made[1]), id_of(made[2])}
    assert {str(one.checkpoint_id): one.gave_way_to and str(one.gave_way_to) for one in told} == {
        id_of(made[2]): id_of(made[0]),
        id_of(made[1]): None,
    }


def test_without_a_sound_state_the_reader_is_told(make_saver, told):
    made = chain(make_saver())
    run_sql("UPDATE agent_states SET state_hash = 'other'")
    for _ in range(2):
        with pytest.raises(StateDamaged, match=id_of(made[2])):
            make_saver().get_tuple(thread(made[2]))
    assert marked() == {id_of(one) for one in made}
    assert len(told) == 3
    assert current(made[2]) == [id_of(made[2])]


def test_where_the_one_before_was_pruned_the_reader_is_told(make_saver):
    made = chain(make_saver())
    make_saver().prune([made[2]["configurable"]["thread_id"]])
    run_sql("UPDATE agent_states SET state_hash = 'other'")
    with pytest.raises(StateDamaged, match=id_of(made[2])):
        make_saver().get_tuple(thread(made[2]))


def test_a_circle_of_parents_ends(make_saver):
    made = chain(make_saver())
    run_sql("UPDATE agent_states SET state_hash = 'other', seal = NULL")
    run_sql("UPDATE agent_states SET parent_id = %s WHERE checkpoint_id = %s", id_of(made[2]), id_of(made[0]))
    with pytest.raises(StateDamaged):
        make_saver().get_tuple(thread(made[2]))


def test_a_task_whose_writes_are_lost_runs_again_and_the_state_stays(make_saver, told):
    saver = make_saver()
    made = chain(saver)
    saver.put_writes(made[2], [("note", "kept")], "other task")
    saver.put_writes(made[2], [("more", "short")], "task 2b")
    run_sql("DELETE FROM agent_values WHERE body::text LIKE '\"note 2%'")
    with pytest.raises(StateDamaged):
        make_saver().get_tuple(made[2])
    found = read(make_saver(), thread(made[2]))
    assert named(found.config) == made[2]
    assert {task for task, _, _ in found.pending_writes or ()} == {"other task", "task 2b"}
    assert [(str(one.checkpoint_id), one.gave_way_to) for one in told] == [(id_of(made[2]), None)]
    saver.put_writes(made[2], [("note", f"note 2 {LONG}")], "task 2")
    assert ("task 2", "note", f"note 2 {LONG}") in (read(make_saver(), made[2]).pending_writes or ())


def test_a_value_that_a_state_shares_with_the_writes_before_it_costs_that_task_only(make_saver):
    saver = make_saver()
    first = put(saver, config_for(), {"plan": 1})
    saver.put_writes(first, [("text", LONG)], "task")
    second = put(saver, first, {"text": LONG})
    run_sql("UPDATE agent_values SET body = '1'")
    found = read(make_saver(), thread(second))
    assert (named(found.config), found.pending_writes) == (first, [])


def test_a_write_that_cannot_be_read_is_damage(make_saver):
    saver = make_saver()
    stored = put(saver, config_for(), {"plan": 1})
    saver.put_writes(stored, [("note", HumanMessage("hello", id="1"))], "task")
    run_sql("UPDATE agent_values SET body = '{}'")
    run_sql("UPDATE agent_state_writes SET form = 'inline', items = NULL, kind = 'message', body = '{}'")
    with pytest.raises(StateDamaged):
        make_saver().get_tuple(stored)


def test_history_leaves_out_what_is_damaged_and_still_gives_as_many(make_saver, told):
    made = chain(make_saver())
    run_sql("UPDATE agent_values SET body = '1' WHERE body::text LIKE '\"text 1%'")
    assert [found.config for found in make_saver().list(thread(made[0]))] == [made[2], made[0]]
    assert [found.config for found in make_saver().list(thread(made[0]), limit=2)] == [made[2], made[0]]
    assert [str(one.checkpoint_id) for one in told] == [id_of(made[1])]
    assert at(make_saver(), thread(made[0])) == made[2]


def test_damage_in_one_thread_hides_none_of_another(make_saver):
    saver = make_saver()
    whole, broken = put(saver, config_for(), {"text": LONG}), put(saver, config_for(), {"text": LONG.upper()})
    run_sql("DELETE FROM agent_values WHERE body::text LIKE '\"A%'")
    assert [found.config for found in make_saver().list(None)] == [whole]
    with pytest.raises(StateDamaged):
        make_saver().get_tuple(thread(broken))


def test_readers_that_find_it_at_once_record_it_once(make_saver, told):
    made = chain(make_saver())
    run_sql("DELETE FROM agent_values WHERE body::text LIKE '\"text 2%'")
    barrier = Barrier(4)

    def look() -> RunnableConfig:
        saver = make_saver()
        barrier.wait()
        with scoped():
            return read(saver, thread(made[2])).config

    with ThreadPoolExecutor(4) as pool:
        found = [one.result() for one in [pool.submit(look) for _ in range(4)]]
    assert list(map(named, found)) == [made[1]] * 4
    assert len(told) == 1
    assert current(made[2]) == [id_of(made[1])]


def test_what_is_noted_belongs_to_the_transaction_of_the_reader(make_saver, told):
    made = chain(make_saver())
    run_sql("DELETE FROM agent_values WHERE body::text LIKE '\"text 2%'")
    with transaction.atomic():
        assert at(make_saver(), thread(made[2])) == made[1]
        assert marked() == {id_of(made[2])}
        transaction.set_rollback(True)
    assert marked() == set()
    assert at(make_saver(), thread(made[2])) == made[1]
    assert marked() == {id_of(made[2])}


def test_a_reader_that_may_not_write_is_answered_all_the_same(make_saver, told):
    made = chain(make_saver())
    run_sql("DELETE FROM agent_values WHERE body::text LIKE '\"text 2%'")
    for _ in range(2):
        with transaction.atomic():
            run_sql("SET TRANSACTION READ ONLY")
            assert at(make_saver(), thread(made[2])) == made[1]
            assert AgentState.objects.count() == 3  # the transaction can still be used
    assert marked() == set()
    assert current(made[2]) == [id_of(made[2])]


def test_a_hook_that_fails_is_heard_and_nothing_is_marked(ensure_thread: EnsureThread):
    def fail(damage: Damage) -> None:
        raise RuntimeError(damage.reason)

    made = chain(QueenrightSaver(ensure_thread=ensure_thread))
    run_sql("DELETE FROM agent_values WHERE body::text LIKE '\"text 2%'")
    with pytest.raises(RuntimeError):
        QueenrightSaver(on_damage=fail).get_tuple(thread(made[2]))
    assert marked() == set()


def test_a_save_on_top_of_a_damaged_state_stores_all_it_has(make_saver):
    saver = make_saver()
    first = put(saver, config_for(), {"text": LONG, "plan": 1})
    versions = read(saver, first).checkpoint["channel_versions"]
    run_sql("UPDATE agent_states SET metadata = '{\"step\": 7}'")
    checkpoint = checkpoint_of({"text": LONG, "plan": 1, "note": 2}, {**versions, "note": "1"})
    second = make_saver().put(first, checkpoint, {}, {"note": "1"})
    assert values_of(make_saver(), second) == {"text": LONG, "plan": 1, "note": 2}


def test_a_state_that_is_saved_again_is_sound_again_and_current(make_saver):
    saver = make_saver()
    first = put(saver, config_for(), {})
    checkpoint = checkpoint_of({"plan": 1}, {"plan": "1"})
    second = saver.put(first, checkpoint, {}, {"plan": "1"})
    run_sql(f"UPDATE agent_states SET metadata = '{{\"step\": 7}}' WHERE {NEWEST}")
    assert at(make_saver(), thread(first)) == first
    saver.put(first, checkpoint, {}, {"plan": "1"})
    assert at(make_saver(), thread(first)) == second
    assert (marked(), current(first)) == (set(), [id_of(second)])


def test_pruning_keeps_the_state_that_took_the_place(make_saver):
    made = chain(make_saver())
    run_sql("DELETE FROM agent_values WHERE body::text LIKE '\"text 2%'")
    saver = make_saver()
    saver.get_tuple(thread(made[2]))
    saver.prune([made[2]["configurable"]["thread_id"]])
    assert [str(pk) for pk in AgentState.objects.values_list("checkpoint_id", flat=True)] == [id_of(made[1])]
    assert at(make_saver(), thread(made[2])) == made[1]


def test_a_copy_is_as_whole_and_as_damaged_as_the_original(make_saver):
    made, copy = chain(make_saver()), config_for()
    run_sql("UPDATE agent_states SET metadata = metadata || '{\"step\": 7}' WHERE " + NEWEST)
    saver = make_saver()
    saver.copy_thread(made[2]["configurable"]["thread_id"], copy["configurable"]["thread_id"])
    with pytest.raises(StateDamaged):
        saver.get_tuple({"configurable": {**copy["configurable"], "checkpoint_id": id_of(made[2])}})
    assert id_of(read(make_saver(), copy).config) == id_of(made[1])


def test_rows_from_before_there_were_seals_are_read(make_saver):
    stored = put(make_saver(), config_for(), {"text": LONG})
    run_sql("UPDATE agent_states SET seal = NULL")
    assert values_of(make_saver(), stored) == {"text": LONG}


@pytest.mark.parametrize(
    "metadata",
    [
        {"step": 1e22, "score": -0.0},
        {"odd": {"b": 1, "a": "ä\N{SNOWMAN}", "big": 2**70, "none": None}},
        {"text": "\\u0000"},
    ],
)
def test_no_metadata_look_damaged(make_saver, metadata: dict[str, Any]):
    checkpoint = checkpoint_of({"score": 1.5}, {"score": 2.0})
    stored = make_saver().put(config_for(), checkpoint, metadata, {"score": 2.0})
    assert values_of(make_saver(), stored) == {"score": 1.5}


class Busy:
    """Writers who prune and delete what they wrote, and readers who remember nothing."""

    def __init__(self, make_saver: Callable[[], QueenrightSaver]) -> None:
        self.make_saver = make_saver
        self.threads = [config_for() for _ in range(2)]
        self.barrier = Barrier(4)

    def write(self, config: RunnableConfig) -> None:
        saver, stored = self.make_saver(), config
        name = config["configurable"]["thread_id"]
        self.barrier.wait()
        for step in range(40):
            stored = put(saver, stored, {"text": f"{step} {LONG}", "list": [f"{n} {LONG}" for n in range(step)]})
            saver.put_writes(stored, [("note", f"{step} note {LONG}")], "task")
            if step % 10 == 9:
                saver.delete_thread(name)
            elif step % 3 == 0:
                saver.prune([name])

    def look(self) -> None:
        self.barrier.wait()
        for _ in range(60):
            for config in self.threads:
                saver = self.make_saver()
                saver.get_tuple(config)
                list(saver.list(config))


def test_deletion_at_the_same_time_is_never_damage(make_saver, told):
    busy = Busy(make_saver)
    tasks = [*(partial(busy.write, config) for config in busy.threads), busy.look, busy.look]
    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(scoped()(task)) for task in tasks]:
            one.result()
    assert told == []
    assert marked() == set()


def test_a_graph_whose_last_state_is_damaged_does_the_last_step_again(make_saver, told):
    runs: list[str] = []

    def node(name: str) -> Any:
        def say(state: MessagesState) -> dict[str, Any]:
            runs.append(name)
            return {"messages": [AIMessage(f"{name} {LONG}", id=name)]}

        return say

    def compiled() -> Any:
        graph = StateGraph(MessagesState)
        graph.add_node("one", node("one"))
        graph.add_node("two", node("two"))
        graph.add_edge(START, "one")
        graph.add_edge("one", "two")
        graph.add_edge("two", END)
        return graph.compile(make_saver())

    config = config_for()
    whole = compiled().invoke({"messages": [HumanMessage("begin", id="begin")]}, config, durability="sync")
    run_sql("UPDATE agent_values SET body = '{\"type\": \"ai\"}' WHERE body::text LIKE '%two%'")
    damaged = current(config)
    graph = compiled()
    assert graph.get_state(config).next == ("two",)
    assert graph.invoke(None, config, durability="sync") == whole
    assert runs == ["one", "two", "two"]
    assert marked() >= set(damaged)
    assert graph.get_state(config).next == ()
    states = AgentState.objects.filter(damaged_at=None)
    assert all(
        make_saver().get_tuple(config_for(config["configurable"]["thread_id"], checkpoint_id=str(one.pk)))
        for one in states
    )
    assert not any(body == '{"type": "ai"}' for body in StateValue.objects.values_list("body", flat=True))
