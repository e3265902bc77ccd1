"""Lists and dicts are stored by item, each version as what differs from an earlier one."""

import random
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Length
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig

from agents.checkpoints import QueenrightSaver
from agents.checkpoints.codec import HASH_BYTES
from agents.checkpoints.splices import Bases, bases_after, splice
from agents.models import ChannelVersion, StateValue, StateWrite
from agents.models.states import Form
from tests.agents.checkpoints.checkpoints import config_for, identical, put, read, values_of

LONG = "a text that is stored once " * 20
STEPS = 60


def texts(*names: object) -> list[str]:
    return [f"{name} {LONG}" for name in names]


def grow(saver: QueenrightSaver, steps: int) -> RunnableConfig:
    stored = config_for()
    messages: list[AnyMessage] = []
    for step in range(steps):
        messages = [*messages, HumanMessage(f"{step} {LONG}", id=str(step))]
        stored = put(saver, stored, {"messages": messages})
    return stored


def test_a_growing_list_names_each_item_about_once(saver: QueenrightSaver):
    stored = grow(saver, STEPS)
    assert StateValue.objects.count() == STEPS
    named = ChannelVersion.objects.aggregate(total=Sum(Length("items")))["total"] // HASH_BYTES
    assert named < 9 * STEPS  # in full at every step it would be 30 times
    found = values_of(QueenrightSaver(), stored)["messages"]
    assert [message.content for message in found] == texts(*range(STEPS))


EDITS: dict[str, tuple[Any, int]] = {
    "appended": (texts(*range(20), "new"), 1),
    "removed": (texts(*range(5), *range(6, 20)), 0),
    "changed": (texts(*range(5), "new", *range(6, 20)), 1),
    "inserted": (texts("new", *range(20)), 1),
    "trimmed": (texts(*range(12, 20)), 0),
    "cut": (texts(*range(8)), 0),
    "doubled": (texts(*range(20), *range(20)), 20),
    "the same": (texts(*range(20)), 0),
    "of another type": ({name: name for name in texts(*range(20))}, 20),
    "replaced": (texts(*range(100, 120)), 20),
}


@pytest.mark.parametrize(("edited", "named"), EDITS.values(), ids=EDITS.keys())
def test_a_version_names_only_what_differs(saver: QueenrightSaver, edited: Any, named: int):
    first = put(saver, config_for(), {"c": texts(*range(20))})
    second = put(saver, first, {"c": edited})
    third = put(saver, second, {"c": texts("last")})
    assert values_of(QueenrightSaver(), first) == {"c": texts(*range(20))}
    assert identical(values_of(QueenrightSaver(), second), {"c": edited})
    assert values_of(QueenrightSaver(), third) == {"c": texts("last")}
    version = ChannelVersion.objects.get(version=read(saver, second).checkpoint["channel_versions"]["c"])
    assert len(bytes(version.items)) == named * HASH_BYTES


def test_a_process_that_takes_over_goes_on_splicing(saver: QueenrightSaver):
    stored = put(saver, config_for(), {"c": texts(*range(20))})
    for step in range(20, 24):
        stored = put(QueenrightSaver(), stored, {"c": texts(*range(step + 1))})
    assert sorted(ChannelVersion.objects.values_list("level", flat=True)) == [0, 1, 2, 2, 2]
    assert values_of(QueenrightSaver(), stored) == {"c": texts(*range(24))}


def test_forks_build_on_one_base(saver: QueenrightSaver):
    first = put(saver, config_for(), {"c": texts(*range(20))})
    forks = [put(saver, first, {"c": texts(*range(20), name)}) for name in "ab"]
    saver.prune([first["configurable"]["thread_id"]])
    assert [values_of(QueenrightSaver(), fork) for fork in forks[1:]] == [{"c": texts(*range(20), "b")}]
    assert saver.get_tuple(forks[0]) is None


def test_a_pruned_list_keeps_the_versions_that_it_is_made_of(saver: QueenrightSaver):
    stored = grow(saver, 12)
    thread = stored["configurable"]["thread_id"]
    saver.prune([thread])
    assert sorted(ChannelVersion.objects.values_list("level", flat=True)) == [0, 1, 2]
    assert len(values_of(QueenrightSaver(), stored)["messages"]) == 12
    saver.copy_thread(thread, "copy")
    saver.delete_thread(thread)
    assert len(values_of(QueenrightSaver(), config_for("copy"))["messages"]) == 12
    assert StateValue.objects.count() == 12


def test_a_dict_is_stored_key_by_key_in_its_order(saver: QueenrightSaver):
    files = {f"file {name}": f"{name} {LONG}" for name in "dcba"}
    first = put(saver, config_for(), {"files": files})
    second = put(saver, first, {"files": {**files, "file c": "short"}})
    assert identical(values_of(QueenrightSaver(), first)["files"], files)
    assert identical(values_of(QueenrightSaver(), second)["files"], {**files, "file c": "short"})
    assert StateValue.objects.count() == 5


def test_what_a_task_wrote_shares_its_items_with_the_channel(saver: QueenrightSaver):
    message = AIMessage(LONG, id="1")
    stored = put(saver, config_for(), {"messages": [HumanMessage("hello", id="0"), message]})
    saver.put_writes(stored, [("messages", [message])], "task")
    assert read(QueenrightSaver(), stored).pending_writes == [("task", "messages", [message])]
    assert StateWrite.objects.get().form == Form.LIST
    assert StateValue.objects.count() == 2


def test_a_list_of_many_short_items_is_one_value(saver: QueenrightSaver):
    numbers = list(range(1000))
    stored = put(saver, config_for(), {"numbers": numbers, "few": ["a", "b"]})
    assert values_of(QueenrightSaver(), stored) == {"numbers": numbers, "few": ["a", "b"]}
    assert StateValue.objects.get().kind == "json"


MESSAGES: list[AnyMessage] = [
    HumanMessage("plain"),
    HumanMessage([{"type": "text", "text": "parts"}, "more"], name="ada", id="1"),
    AIMessage("", tool_calls=[{"name": "f", "args": {"q": [1, 2.5, None]}, "id": "c"}]),
    AIMessage("x", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}, extra_field={"a": 1}),
    AIMessage("nul \0", response_metadata={"nan": float("nan")}),
    AIMessage("half \ud800", additional_kwargs={"big": 2**70}),
    ToolMessage("ok", tool_call_id="c", artifact={"rows": [1]}, status="error"),
]


def test_messages_come_back_whole_and_can_be_changed_by_their_reader(saver: QueenrightSaver):
    stored = put(saver, config_for(), {"messages": MESSAGES})
    for reader in (saver, QueenrightSaver()):
        found = values_of(reader, stored)["messages"]
        assert repr(found) == repr(MESSAGES)
        assert repr([message.model_dump() for message in found]) == repr([one.model_dump() for one in MESSAGES])
        assert [type(message) for message in found] == [type(one) for one in MESSAGES]
        for message in found:
            message.additional_kwargs["spoiled"] = True
            message.response_metadata["spoiled"] = True
            message.content = "spoiled"
        copied = found[0].model_copy(update={"content": "copied"})
        assert (copied.content, copied.id) == ("copied", None)


def test_a_message_that_was_changed_in_place_is_stored_as_it_is_now(saver: QueenrightSaver):
    message = AIMessage("one", additional_kwargs={"n": 1}, id="1")
    stored = put(saver, config_for(), {"messages": [message]})
    for change in ({"n": True}, {"n": 1.0}, {"n": [2]}):
        message.additional_kwargs = change
        stored = put(saver, stored, {"messages": [message]})
        assert identical(values_of(saver, stored)["messages"][0].additional_kwargs, change)
    message.additional_kwargs["n"].append(3)
    stored = put(saver, stored, {"messages": [message]})
    assert values_of(QueenrightSaver(), stored)["messages"][0].additional_kwargs == {"n": [2, 3]}


def test_the_items_of_a_list_can_be_read_in_sql(saver: QueenrightSaver):
    stored = grow(saver, 12)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body ->> 'type', body ->> 'content' FROM agent_state_items"
            " WHERE state_id = %s AND channel = 'messages' ORDER BY place",
            [stored["configurable"]["checkpoint_id"]],
        )
        assert cursor.fetchall() == [("human", text) for text in texts(*range(12))]


def test_splices_of_random_edits_give_back_every_version():
    chance = random.Random(7)
    items: list[int] = []
    bases: Bases = ()
    known: dict[str | None, bytes] = {}
    levels = set()
    for version in map(str, range(500)):
        start = chance.randint(0, len(items))
        end = min(len(items), start + chance.choice([0, 0, 1, 3, 40]))
        items = items[:start] + [chance.randint(0, 50) for _ in range(chance.choice([0, 1, 2, 30]))] + items[end:]
        packed = b"".join(item.to_bytes(HASH_BYTES) for item in items)
        part = splice(packed, bases)
        assert part.applied(known.get(part.base)) == packed
        assert part.level == (0 if part.base is None else 1 + [base.version for base in bases].index(part.base))
        known[version] = packed
        levels.add(part.level)
        bases = bases_after(version, packed, part.level, bases)
    assert levels == {0, 1, 2}
