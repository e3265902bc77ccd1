"""What stands in the database when states are encrypted, and who can read it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from agents.checkpoints import QueenrightSaver, StateDamaged, StateKeyMissing
from agents.models import AgentState, ChannelVersion, StateValue
from tests.agents.checkpoints.checkpoints import at, checkpoint_of, config_for, identical, put, read, values_of
from tests.agents.checkpoints.conftest import EnsureThread

KEY, OTHER = b"0123456789abcdef", b"a key that has thirty-two bytes!"
MARK, NUMBER = "honeycomb", 8675309
LONG = f"a text with {MARK} in it " * 40
TABLES = ("agent_states", "agent_channel_versions", "agent_state_writes", "agent_values", "agent_state_items")


@dataclass
class Note:
    text: str


MakeSaver = Callable[..., QueenrightSaver]


@pytest.fixture
def make_saver(ensure_thread: EnsureThread) -> MakeSaver:
    """A saver that remembers nothing yet."""
    return lambda key=KEY, *old: QueenrightSaver(ensure_thread=ensure_thread, allowed=[Note], key=key, old_keys=old)


def everything() -> str:
    """All columns of all rows, binary ones as text where they are that."""
    told = []
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table}")
            for row in cursor.fetchall():
                told += [bytes(c).decode("latin-1") if isinstance(c, bytes | memoryview) else str(c) for c in row]
    return "\n".join(told)


def fill(saver: QueenrightSaver) -> RunnableConfig:
    """Two checkpoints that hold the mark in each way of storing a value, and writes."""
    values = {
        "plan": MARK,
        "count": NUMBER,
        "ratio": NUMBER / 1000,
        "short": [MARK, NUMBER],
        "text": LONG,
        "big": 2**70 + NUMBER,
        "note": Note(LONG),
        "raw": MARK.encode(),
        "files": {f"{MARK}.txt": LONG, "other.txt": LONG.upper(), "number": NUMBER},
        "messages": [HumanMessage(MARK, id="1"), AIMessage(LONG, id="2")],
    }
    first = put(saver, config_for(), values)
    second = put(saver, first, values | {"messages": [*values["messages"], AIMessage(MARK, id="3")]})  # type: ignore[misc]  # a list
    saver.put_writes(second, [("plan", MARK), ("count", NUMBER), ("text", LONG), ("note", Note(MARK))], "task")
    saver.put_writes(second, [("__interrupt__", {"question": MARK}), ("__error__", LONG)], "other")
    return second


def test_nothing_that_states_hold_can_be_read_in_any_column(make_saver: MakeSaver):
    stored = fill(make_saver())
    told = everything()
    assert re.findall(f"(?i){MARK}|{NUMBER}|8675.309", told) == []
    plain = fill(make_saver(None))
    told = everything()
    assert (told.lower().count(MARK), told.count(str(NUMBER))) > (20, 3)  # so it would have been found
    encrypted, open_ = read(make_saver(), stored), read(make_saver(), plain)
    for name, value in open_.checkpoint["channel_values"].items():
        assert identical(encrypted.checkpoint["channel_values"][name], value)
    assert encrypted.checkpoint["channel_values"].keys() == open_.checkpoint["channel_values"].keys()
    assert identical(encrypted.pending_writes, open_.pending_writes)


def test_equal_values_are_still_stored_once(make_saver: MakeSaver):
    saver = make_saver()
    first = put(saver, config_for(), {"a": LONG, "b": LONG})
    put(make_saver(), first, {"a": LONG})
    put(make_saver(), config_for(), {"c": LONG})
    assert StateValue.objects.count() == 1


def test_a_growing_list_stores_what_is_new(make_saver: MakeSaver):
    stored = config_for()
    for count in range(1, 20):
        stored = put(make_saver(), stored, {"messages": [HumanMessage(f"{n} {LONG}", id=str(n)) for n in range(count)]})
    assert StateValue.objects.count() == 19
    assert len(values_of(make_saver(), stored)["messages"]) == 19


def test_the_hash_tells_nothing_without_the_key(make_saver: MakeSaver):
    for key in (KEY, OTHER, None):
        put(make_saver(key), config_for(), {"text": LONG})
    assert len(set(map(bytes, StateValue.objects.values_list("hash", flat=True)))) == 3
    assert len({bytes(one) for one in AgentState.objects.values_list("state_hash", flat=True)}) == 3


def test_what_was_stored_before_there_was_a_key_stays_readable(make_saver: MakeSaver):
    plain = fill(make_saver(None))
    before = read(make_saver(None), plain)
    assert identical(read(make_saver(), plain).checkpoint["channel_values"], before.checkpoint["channel_values"])
    assert identical(read(make_saver(), plain).pending_writes, before.pending_writes)


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_state_that_follows_one_from_before_the_key_holds_nothing_readable(make_saver: MakeSaver, is_warm: bool):
    first = put(make_saver(None), config_for(), {"plan": MARK, "count": NUMBER, "text": LONG})
    versions = read(make_saver(None), first).checkpoint["channel_versions"]
    encrypting = make_saver()
    if is_warm:
        encrypting.get_tuple(first)
    values = {"plan": MARK, "count": NUMBER, "text": LONG, "note": MARK}
    second = encrypting.put(first, checkpoint_of(values, {**versions, "note": "1"}), {}, {"note": "1"})
    third = encrypting.put(second, checkpoint_of({}, {**versions, "note": "1"}), {}, {})
    newer = AgentState.objects.exclude(checkpoint_id=first["configurable"]["checkpoint_id"])
    assert [row.state_data["channel_values"] for row in newer] == [{}, {}]
    assert not any(MARK in str(version.body) for version in ChannelVersion.objects.exclude(channel="text"))
    for stored in (second, third):
        assert values_of(make_saver(), stored) == values
    assert values_of(make_saver(), first) == {"plan": MARK, "count": NUMBER, "text": LONG}


@pytest.mark.parametrize("key", [None, OTHER])
def test_without_the_key_the_error_says_so_and_nothing_counts_as_damaged(make_saver: MakeSaver, key: bytes | None):
    stored = fill(make_saver())
    thread = config_for(stored["configurable"]["thread_id"])
    reader = make_saver(key)
    for look in (lambda: reader.get_tuple(stored), lambda: reader.get_tuple(thread), lambda: list(reader.list(thread))):
        with pytest.raises(StateKeyMissing, match="which is not given"):
            look()
    assert not AgentState.objects.exclude(damaged_at=None).exists()
    assert StateValue.objects.exists()
    assert at(make_saver(), thread) == stored


def test_an_old_key_still_reads_and_the_new_one_writes(make_saver: MakeSaver):
    first = put(make_saver(KEY), config_for(), {"plan": MARK, "list": [f"{n} {LONG}" for n in range(3)]})
    versions = read(make_saver(KEY), first).checkpoint["channel_versions"]
    rotated = make_saver(OTHER, KEY)
    longer = [f"{n} {LONG}" for n in range(4)]
    second = rotated.put(first, checkpoint_of({"list": longer}, {**versions, "list": "2"}), {}, {"list": "2"})
    assert values_of(make_saver(OTHER, KEY), second) == {"plan": MARK, "list": longer}
    third = put(rotated, second, {"plan": MARK, "list": longer})
    assert values_of(make_saver(OTHER), third) == {"plan": MARK, "list": longer}
    with pytest.raises(StateKeyMissing):
        make_saver(OTHER).get_tuple(first)


def test_a_key_that_only_reads_encrypts_nothing(make_saver: MakeSaver):
    stored = put(make_saver(KEY), config_for(), {"text": LONG})
    reader = make_saver(None, KEY)
    plain = put(reader, read(reader, stored).config, {"text": LONG, "plan": MARK})
    assert values_of(make_saver(None), plain) == {"text": LONG, "plan": MARK}


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 17, b"x" * 64])
def test_a_key_of_another_length_is_refused(key: bytes):
    with pytest.raises(ValueError, match="16, 24 or 32"):
        QueenrightSaver(key=key)
    with pytest.raises(ValueError, match="16, 24 or 32"):
        QueenrightSaver(old_keys=[key])


CHANGED = "set_byte(raw, length(raw) - 1, get_byte(raw, length(raw) - 1) # 1)"


@pytest.mark.parametrize("table", ["agent_values", "agent_channel_versions"])
def test_a_changed_ciphertext_is_damage(make_saver: MakeSaver, table: str):
    first = put(make_saver(), config_for(), {"plan": 1})
    second = put(make_saver(), first, {"plan": 2, "text": LONG, "short": [1]})
    with connection.cursor() as cursor:
        where = "" if table == "agent_values" else "WHERE channel = 'short'"
        cursor.execute(f"UPDATE {table} SET raw = {CHANGED} {where}")
    with pytest.raises(StateDamaged):
        make_saver().get_tuple(second)
    assert at(make_saver(), config_for(first["configurable"]["thread_id"])) == first


def test_a_changed_write_is_damage_though_it_is_short(make_saver: MakeSaver):
    stored = put(make_saver(), config_for(), {"plan": 1})
    make_saver().put_writes(stored, [("plan", 2)], "task")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE agent_state_writes SET raw = {CHANGED}")
    with pytest.raises(StateDamaged):
        make_saver().get_tuple(stored)
    assert read(make_saver(), config_for(stored["configurable"]["thread_id"])).pending_writes == []


def test_copies_and_pruned_threads_can_be_read(make_saver: MakeSaver):
    stored, copy = fill(make_saver()), config_for()
    saver = make_saver()
    saver.copy_thread(stored["configurable"]["thread_id"], copy["configurable"]["thread_id"])
    saver.prune([stored["configurable"]["thread_id"]])
    wanted: Any = values_of(make_saver(), stored)
    assert identical(values_of(make_saver(), copy), wanted)
    assert wanted["text"] == LONG
