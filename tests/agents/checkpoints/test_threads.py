"""How a thread's checkpoints are written, found and deleted."""

from uuid import UUID, uuid4

import pytest
from django.db import connection
from langchain_core.runnables import RunnableConfig

from agents.checkpoints import QueenrightSaver, StateDamaged, UnknownThread
from agents.checkpoints.threads import session_of
from agents.ids import new_id
from agents.models import AgentSession, AgentState, ChannelVersion, StateValue, StateWrite
from agents.roles import Level
from tests.agents.checkpoints.checkpoints import checkpoint_of, config_for, put, read, values_of
from tests.agents.checkpoints.conftest import EnsureThread, make_session

LONG = "a text that is stored once " * 20


def test_a_thread_without_a_session_is_refused_on_writing_and_empty_on_reading(transactional_db: None):
    saver, config = QueenrightSaver(), config_for()
    with pytest.raises(UnknownThread):
        put(saver, config, {"c": 1})
    with pytest.raises(UnknownThread):
        saver.put_writes({"configurable": {**config["configurable"], "checkpoint_id": str(uuid4())}}, [], "task")
    assert saver.get_tuple(config) is None
    assert list(saver.list(config)) == []
    saver.delete_thread(config["configurable"]["thread_id"])


def test_a_session_without_a_value_space_is_refused(transactional_db: None):
    session = make_session(new_id(), new_id())
    AgentSession.objects.update(space=None)
    with pytest.raises(UnknownThread):
        put(QueenrightSaver(), config_for(str(session.session_id)), {"c": 1})


def test_a_text_names_a_thread_as_well_as_a_uuid(saver: QueenrightSaver):
    for name in ("thread-1", "THREAD 1", str(uuid4()).upper(), "ä \N{SNOWMAN}"):
        stored = put(saver, config_for(name), {})
        assert read(saver, stored).config["configurable"]["thread_id"] == name
        assert [found.config for found in saver.list(config_for(name))] == [stored]
    assert session_of("thread-1") != session_of("THREAD 1")


def test_an_id_that_is_no_uuid_is_refused_on_writing_and_not_found_on_reading(saver: QueenrightSaver):
    config = config_for()
    checkpoint = checkpoint_of({}, {})
    with pytest.raises(ValueError, match="UUID"):
        saver.put(config, {**checkpoint, "id": "one"}, {}, {})
    with pytest.raises(ValueError, match="UUID"):
        saver.put(config_for(checkpoint_id="one"), checkpoint, {}, {})
    put(saver, config, {})
    thread = config["configurable"]["thread_id"]
    assert saver.get_tuple(config_for(thread, checkpoint_id="one")) is None
    assert list(saver.list(config_for(thread, checkpoint_id="one"))) == []
    assert list(saver.list(config, before=config_for(thread, checkpoint_id="one"))) == []


def test_an_unchanged_scalar_that_the_caller_leaves_out_is_kept(saver: QueenrightSaver):
    first = put(saver, config_for(), {"plan": "a", "text": LONG})
    versions = read(saver, first).checkpoint["channel_versions"]
    note = saver.get_next_version(None, None)
    second = saver.put(first, checkpoint_of({"note": 1}, {**versions, "note": note}), {}, {"note": note})
    assert values_of(saver, second) == {"plan": "a", "text": LONG, "note": 1}


def test_a_twin_beside_a_checkpoint_holds_what_that_one_holds(saver: QueenrightSaver):
    first = put(saver, config_for(), {"text": LONG, "plan": "a"})
    second = put(saver, first, {"text": LONG.upper(), "plan": "b"})
    checkpoint = read(saver, second).checkpoint
    twin = saver.put(first, checkpoint_of(checkpoint["channel_values"], checkpoint["channel_versions"]), {}, {})
    assert values_of(saver, twin) == {"text": LONG.upper(), "plan": "b"}
    assert read(saver, twin).parent_config == first


def test_only_special_writes_replace_earlier_ones(saver: QueenrightSaver):
    stored = put(saver, config_for(), {})
    saver.put_writes(stored, [("c", "first"), ("__interrupt__", "first")], "task")
    saver.put_writes(stored, [("c", "second"), ("__interrupt__", "second"), ("d", "new")], "task")
    assert read(saver, stored).pending_writes == [
        ("task", "__interrupt__", "second"),
        ("task", "c", "first"),
        ("task", "d", "new"),
    ]


def test_writes_may_come_before_their_checkpoint(saver: QueenrightSaver):
    config, checkpoint = config_for(), checkpoint_of({}, {})
    thread = config["configurable"]["thread_id"]
    saver.put_writes(config_for(thread, checkpoint_id=checkpoint["id"]), [("c", LONG)], "task")
    assert saver.get_tuple(config) is None
    assert read(saver, saver.put(config, checkpoint, {}, {})).pending_writes == [("task", "c", LONG)]


def test_a_checkpoint_that_is_put_again_is_one_checkpoint(saver: QueenrightSaver):
    config, checkpoint = config_for(), checkpoint_of({"c": LONG}, {"c": "1"})
    saver.put(config, checkpoint, {"step": 1}, {"c": "1"})
    saver.put(config, checkpoint, {"step": 2}, {"c": "1"})
    assert [found.metadata for found in saver.list(config)] == [{"step": 2}]
    assert values_of(saver, config) == {"c": LONG}


def test_two_threads_may_hold_the_same_checkpoint_id(saver: QueenrightSaver):
    checkpoint = checkpoint_of({"c": LONG}, {"c": "1"})
    first = saver.put(config_for(), checkpoint, {}, {"c": "1"})
    second = saver.put(config_for(), {**checkpoint, "channel_values": {"c": "other"}}, {}, {"c": "1"})
    third = saver.put(config_for(first["configurable"]["thread_id"], "child"), checkpoint, {}, {"c": "1"})
    assert [values_of(saver, stored)["c"] for stored in (first, second, third)] == [LONG, "other", LONG]
    assert AgentState.objects.filter(state_id=checkpoint["id"]).count() == 1


def test_what_the_config_says_of_a_run_is_kept_but_nothing_private(saver: QueenrightSaver):
    config: RunnableConfig = {
        **config_for(),
        "metadata": {"run_id": "run-1", "agent": "queen\0"},
    }
    config["configurable"] |= {"__lease": object(), "__secret": "s", "colour": "red", "lease": object()}
    stored = saver.put(config, checkpoint_of({}, {}), {"source": "input", "step": -1}, {})
    assert read(saver, stored).metadata == {
        "source": "input",
        "step": -1,
        "run_id": "run-1",
        "agent": "queen",
        "colour": "red",
    }


def test_metadata_that_jsonb_cannot_hold_does_not_stop_a_save(saver: QueenrightSaver):
    metadata = {"source": "loop", "odd": {"nul": "a\0b", "nan": float("nan"), "half": "\ud800", "big": 2**70}}
    stored = saver.put(config_for(), checkpoint_of({}, {}), metadata, {})  # type: ignore[arg-type]  # any metadata
    assert read(saver, stored).metadata["odd"] == {"nul": "ab", "nan": None, "half": "?", "big": 2**70}  # type: ignore[typeddict-item]  # any metadata


def test_history_is_read_in_pages_newest_first(saver: QueenrightSaver):
    config = stored = config_for()
    made: list[RunnableConfig] = []
    for step in range(120):
        stored = put(saver, stored, {"c": f"{step} {LONG}"}, step=step)
        made.insert(0, stored)
    assert [found.config for found in saver.list(config)] == made
    assert [found.config for found in saver.list(config, limit=57)] == made[:57]
    assert [found.config for found in saver.list(config, limit=50)] == made[:50]
    assert [found.config for found in saver.list(config, before=made[99])] == made[100:]
    assert list(saver.list(config, limit=0)) == []
    assert [found.metadata["step"] for found in saver.list(config, filter={"step": 7})] == [7]
    assert [found.checkpoint["channel_values"]["c"] for found in saver.list(config, limit=60)][-1] == f"60 {LONG}"


def test_history_of_all_threads_is_one_history(saver: QueenrightSaver):
    threads = [config_for(), config_for(), config_for("third")]
    made = [put(saver, config_for(t["configurable"]["thread_id"], ns), {}) for ns in ("", "a") for t in threads * 20]
    found = [found.config for found in saver.list(None)]
    assert sorted(map(str, found)) == sorted(map(str, made))
    ids = [config["configurable"]["checkpoint_id"] for config in found]
    assert ids == sorted(ids, reverse=True)


def test_history_across_threads_goes_on_after_a_page_that_ends_among_equal_ids(saver: QueenrightSaver):
    checkpoint = checkpoint_of({}, {})
    for _ in range(60):
        saver.put(config_for(), checkpoint, {}, {})
    assert len({found.config["configurable"]["thread_id"] for found in saver.list(None)}) == 60


@pytest.mark.parametrize(
    ("wanted", "steps"),
    [
        ({"source": "loop"}, [2, 1]),
        ({"source": "loop", "step": 1}, [1]),
        ({"missing": None}, [2, 1]),
        ({"step": "1"}, []),
        ({"a ' \" key": 1}, []),
    ],
)
def test_history_is_filtered_by_metadata(saver: QueenrightSaver, wanted: dict[str, object], steps: list[int]):
    config = config_for()
    put(saver, put(saver, config, {}, step=1), {}, step=2)
    assert [found.metadata["step"] for found in saver.list(config, filter=wanted)] == steps


def test_equal_values_of_a_mission_are_stored_once(saver: QueenrightSaver, ensure_thread: EnsureThread):
    put(saver, put(saver, config_for(), {"c": LONG, "d": LONG}), {"c": LONG})
    other = put(saver, config_for(), {"e": LONG})
    saver.put_writes(other, [("f", LONG)], "task")
    assert StateValue.objects.count() == 1
    sizes = AgentState.objects.order_by("created_at").values_list("size_bytes", flat=True)
    assert list(sizes) == [len(LONG) + 2, 0, len(LONG) + 2]  # of what is new in each thread


def test_two_missions_share_nothing(transactional_db: None):
    saver = QueenrightSaver()
    for _ in range(2):
        session = make_session(new_id(), new_id())
        put(saver, config_for(str(session.session_id)), {"c": LONG})
    assert StateValue.objects.count() == 2


def test_a_checkpoint_can_be_read_in_sql(saver: QueenrightSaver):
    stored = put(saver, config_for(), {"plan": "go", "count": 3, "text": [LONG, {"b": 1, "a": 2}]})
    with connection.cursor() as cursor:
        cursor.execute("SELECT state_data -> 'channel_values' ->> 'plan' FROM agent_states")
        assert cursor.fetchone() == ("go",)
        cursor.execute("SELECT body ->> 'a' FROM agent_state_items WHERE channel = 'text' AND place = 1")
        assert cursor.fetchone() == ("2",)
    state = AgentState.objects.get()
    assert state.state_data["channel_values"] == {"plan": "go", "count": 3}
    assert str(state.state_id) == stored["configurable"]["checkpoint_id"]
    assert state.project == state.session.project


def test_equal_contents_have_equal_hashes_and_others_do_not(saver: QueenrightSaver):
    for values in (
        {"c": LONG, "d": 1},
        {"d": 1, "c": LONG},
        {"c": LONG, "d": 2},
        {"c": LONG},
        {"d": LONG, "c": 1},
    ):
        put(saver, config_for(), values)
    hashes = [bytes(state.state_hash) for state in AgentState.objects.order_by("created_at")]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4


DAMAGE = {
    "a value is changed": """UPDATE agent_values SET body = '"other"'""",
    "a value is lost": "DELETE FROM agent_values",
    "a short value is changed": """UPDATE agent_channel_versions SET body = '[2]' WHERE channel = 'short'""",
    "an item is changed": """UPDATE agent_values SET body = '"other"' WHERE body::text LIKE '"0 %'""",
    "the base of a list is lost": "DELETE FROM agent_channel_versions WHERE channel = 'list' AND level = 0",
    "an item of a list is lost": "UPDATE agent_channel_versions SET tail = 0, head = 1 WHERE level = 1",
    "a channel is lost": "DELETE FROM agent_channel_versions WHERE channel = 'text'",
    "a scalar is changed": ("UPDATE agent_states SET state_data = jsonb_set(state_data, '{channel_values,plan}', '2')"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_seen_on_load(saver: QueenrightSaver, damage: str):
    texts = [f"{n} {LONG}" for n in range(3)]
    stored = put(saver, config_for(), {"text": LONG, "short": [1], "plan": 1, "list": texts})
    versions = read(saver, stored).checkpoint["channel_versions"]
    longer = checkpoint_of({"list": [*texts, LONG.upper()]}, {**versions, "list": "2"})
    stored = saver.put(stored, longer, {}, {"list": "2"})
    with connection.cursor() as cursor:
        cursor.execute(damage)
    cold = QueenrightSaver()
    with pytest.raises(StateDamaged):
        cold.get_tuple(stored)
    with pytest.raises(StateDamaged):
        list(cold.list(stored))


def test_deleting_a_thread_leaves_the_others_whole(saver: QueenrightSaver):
    kept = put(saver, config_for(), {"c": LONG})
    saver.put_writes(kept, [("c", LONG.upper())], "task")
    gone = put(saver, config_for(), {"c": LONG, "d": LONG * 2})
    saver.put_writes(gone, [("c", LONG.upper()), ("d", LONG * 3)], "task")
    saver.delete_thread(gone["configurable"]["thread_id"])
    assert saver.get_tuple(gone) is None
    cold = read(QueenrightSaver(), kept)
    assert cold.checkpoint["channel_values"] == {"c": LONG}
    assert cold.pending_writes == [("task", "c", LONG.upper())]
    assert StateValue.objects.count() == 2
    saver.delete_thread(kept["configurable"]["thread_id"])
    for table in (AgentState, ChannelVersion, StateWrite, StateValue):
        assert table.objects.count() == 0


def test_a_run_that_goes_on_after_its_thread_was_deleted_elsewhere_saves_all_it_has(saver: QueenrightSaver):
    first = put(saver, config_for(), {"text": LONG, "plan": "a"})
    QueenrightSaver().delete_thread(first["configurable"]["thread_id"])
    checkpoint = checkpoint_of({"text": LONG, "plan": "a", "note": 1}, {"text": "1", "plan": "1", "note": "1"})
    second = saver.put(first, checkpoint, {}, {"note": "1"})
    assert values_of(QueenrightSaver(), second) == {"text": LONG, "plan": "a", "note": 1}


def test_deleting_a_session_takes_its_states_with_it(saver: QueenrightSaver, space_id: UUID):
    mission = make_session(new_id(), space_id)
    child = AgentSession.objects.create(
        project=mission.project,
        user=mission.user,
        agent_type="thread",
        level=Level.ARCHITECT,
        name="child",
        root=mission,
        parent=mission,
        path=[mission.session_id],
        space_id=space_id,
    )
    for session in (mission, child):
        stored = put(saver, config_for(str(session.session_id)), {"c": LONG})
        saver.put_writes(stored, [("c", LONG)], "task")
    child.delete()
    for table in (AgentState, ChannelVersion, StateWrite):
        assert [row.session_id for row in table.objects.all()] == [mission.session_id]
