"""What a process knows of a checkpoint saves it reading that, and never hides what another process did."""

from typing import Any

import pytest
from django.db import connection
from langchain_core.messages import HumanMessage

from agents.checkpoints import QueenrightSaver, sql
from agents.checkpoints.connections import raw_cursor
from agents.checkpoints.statements import Statement
from agents.checkpoints.store import StateStore
from tests.agents.checkpoints.checkpoints import checkpoint_of, config_for, put, read, values_of

LONG = [HumanMessage("what there is to say " * 20, id=str(number)) for number in range(12)]


@pytest.fixture
def asked(monkeypatch):
    """The statements that savers ran, with what they were told and what they gave."""
    seen: list[tuple[Statement, dict[str, Any], list[tuple[Any, ...]]]] = []
    fetch = StateStore.fetch

    def fetched(self, statement, parameters):
        rows = fetch(self, statement, parameters)
        seen.append((statement, parameters, rows))
        return rows

    monkeypatch.setattr(StateStore, "fetch", fetched)
    return seen


def test_what_was_written_is_read_by_its_row_alone(saver, asked):
    config = config_for()
    put(saver, put(saver, config, {"messages": LONG[:-1], "step": 1}), {"messages": LONG, "step": 2})
    asked.clear()
    assert values_of(saver, config) == {"messages": LONG, "step": 2}
    ((statement, _, rows),) = asked
    assert statement is sql.GET_LATEST
    assert rows[0][12] is None  # its versions


def test_what_was_written_on_top_is_read_with_it(saver, asked):
    config = config_for()
    there = put(saver, config, {"messages": LONG})
    saver.put_writes(there, [("messages", LONG[:2])], "task")
    asked.clear()
    assert [(task, value) for task, _, value in read(saver, config).pending_writes or ()] == [("task", LONG[:2])]
    assert len(asked) == 1


def test_each_reading_gives_values_of_its_own(saver):
    config = config_for()
    put(saver, config, {"messages": LONG, "plan": {"steps": ["look " * 30, "leap " * 30]}})
    first = values_of(saver, config)
    first["messages"][0].content = "changed"
    first["plan"]["steps"].clear()
    assert values_of(saver, config) == {"messages": LONG, "plan": {"steps": ["look " * 30, "leap " * 30]}}


def test_what_another_process_wrote_is_read(saver, ensure_thread):
    other = QueenrightSaver(ensure_thread=ensure_thread)
    config = config_for()
    there = put(saver, config, {"messages": LONG[:3]})
    put(other, there, {"messages": LONG})
    assert values_of(saver, config) == {"messages": LONG}
    assert values_of(saver, there) == {"messages": LONG[:3]}


def test_a_checkpoint_that_another_process_put_again_is_read_anew(saver, ensure_thread):
    other = QueenrightSaver(ensure_thread=ensure_thread)
    config = config_for()
    versions = {"messages": saver.get_next_version(None, None)}
    checkpoint = checkpoint_of({"messages": LONG[:3]}, versions)
    saver.put(config, checkpoint, {"source": "loop", "step": 0}, versions)
    later = {"messages": saver.get_next_version(versions["messages"], None)}
    again = {**checkpoint, "channel_values": {"messages": LONG}, "channel_versions": later}
    other.put(config, again, {"source": "loop", "step": 0}, later)
    assert values_of(saver, config) == {"messages": LONG}


def test_a_row_that_was_changed_is_found_out(saver):
    config = config_for()
    sound = put(saver, config, {"messages": LONG[:3]})
    put(saver, sound, {"messages": LONG})
    with raw_cursor(connection) as cursor:
        cursor.execute("UPDATE agent_states SET state_hash = 'x' WHERE is_current")
    assert values_of(saver, config) == {"messages": LONG[:3]}


def test_after_a_deletion_everything_is_read_anew(saver, ensure_thread, asked):
    config, gone = config_for(), config_for()
    put(saver, config, {"messages": LONG})
    put(saver, gone, {"messages": LONG[:3]})
    QueenrightSaver(ensure_thread=ensure_thread).delete_thread(gone["configurable"]["thread_id"])
    asked.clear()
    assert values_of(saver, config) == {"messages": LONG}
    assert asked[0][2][0][12] is not None
    assert saver.get_tuple(gone) is None


@pytest.mark.parametrize("wrong", [{"known_epoch": 1}, {"known": "00000000-0000-0000-0000-000000000001"}])
def test_what_is_known_counts_only_of_its_checkpoint_and_its_epoch(saver, asked, wrong):
    config = config_for()
    put(saver, config, {"messages": LONG})
    values_of(saver, config)
    statement, told, rows = asked[-1]
    assert told["known"] is not None
    assert rows[0][12] is None
    ((*_, versions, _),) = saver._store.fetch(statement, {**told, **wrong})
    assert [version[0] for version in versions] == ["messages"]
