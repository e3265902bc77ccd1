"""Items: put, got, deleted; which values, keys and namespaces there may be."""

import asyncio
from datetime import datetime
from enum import StrEnum
from uuid import uuid4

import pytest
from django.db import connection, transaction
from langgraph.store.base import GetOp, InvalidNamespaceError, ListNamespacesOp, PutOp, SearchOp

from agents.events.store import first_break
from agents.models import AgentEvent
from memory.models import AgentMemory, MemoryVector
from memory.store import QueenrightStore
from memory.store.names import MOST_BYTES
from tests.factories import make_project
from tests.races import at_once

NS = ("bees", "hive")


class Colour(StrEnum):
    YELLOW = "yellow"


def test_what_was_put_is_got(store):
    store.put(NS, "one", {"text": "Bees dance", "n": 1})
    item = store.get(NS, "one")
    assert (item.value, item.key, item.namespace) == ({"text": "Bees dance", "n": 1}, "one", NS)
    assert item.created_at == item.updated_at
    assert store.get(NS, "two") is None
    assert store.get(("bees",), "one") is None


def test_a_second_put_replaces_the_value_and_keeps_when_it_was_made(store):
    store.put(NS, "one", {"a": 1, "b": 2})
    first = store.get(NS, "one")
    store.put(NS, "one", {"a": 3})
    second = store.get(NS, "one")
    assert second.value == {"a": 3}
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at


def test_a_deleted_item_is_gone_and_may_come_again(store):
    store.put(NS, "one", {"text": "a", "more": ["b"]}, index=["text", "more[*]"])
    first = store.get(NS, "one")
    store.delete(NS, "one")
    store.delete(NS, "never there")
    assert store.get(NS, "one") is None
    assert not MemoryVector.objects.exists()
    store.put(NS, "one", {"a": 2})
    assert store.get(NS, "one").created_at > first.updated_at


def test_projects_do_not_see_each_other(store):
    other = QueenrightStore(make_project().pk, index=False)
    store.put(NS, "one", {"mine": True})
    assert other.get(NS, "one") is None
    assert other.search(()) == []
    assert other.list_namespaces() == []
    other.put(NS, "one", {"mine": False})
    other.delete(NS, "one")
    assert store.get(NS, "one").value == {"mine": True}


ODD = ["a.b", "a/b", "a\\b", "'; DROP TABLE agent_memory; --", '"', "ü", "🐝", " ", "%s", "*", "{x,y}", "NULL", "\x01"]


@pytest.mark.parametrize("label", ODD)
def test_namespaces_and_keys_may_hold_any_characters(store, label):
    store.put((label, "x"), label, {"label": label})
    store.put((label + "x", "x"), label, {})
    store.put(("a", "b", "x"), label, {})
    assert store.get((label, "x"), label).value == {"label": label}
    assert [item.namespace for item in store.search((label,))] == [(label, "x")]
    assert (label, "x") in store.list_namespaces()


def test_labels_with_dots_are_no_deeper_namespaces(store):
    store.put(("a.b",), "c", {"n": 1})
    store.put(("a", "b"), "c", {"n": 2})
    assert store.get(("a.b",), "c").value == {"n": 1}
    assert [item.value for item in store.search(("a",))] == [{"n": 2}]
    assert store.list_namespaces() == [("a", "b"), ("a.b",)]


@pytest.mark.parametrize("label", ["", "\0", "a\0b", "\ud800", 7, None])
def test_labels_that_cannot_be_are_refused_by_every_operation(store, label):
    namespace = ("a", label)
    calls = [
        lambda: store.get(namespace, "k"),
        lambda: store.put(namespace, "k", {}),
        lambda: store.delete(namespace, "k"),
        lambda: store.search(namespace),
        lambda: store.list_namespaces(prefix=namespace),
        lambda: store.list_namespaces(suffix=namespace),
        lambda: asyncio.run(store.aget(namespace, "k")),  # refused before it needs a connection
        lambda: store.batch([PutOp(namespace, "k", {})]),
    ]
    for call in calls:
        with pytest.raises(InvalidNamespaceError):
            call()


@pytest.mark.parametrize("namespace", [(), ("langgraph",), ("langgraph", "x"), "text", ("x" * MOST_BYTES,)])
def test_nothing_is_put_into_such_namespaces(store, namespace):
    with pytest.raises(InvalidNamespaceError):
        store.put(namespace, "k", {})
    assert not AgentMemory.objects.exists()


def test_the_longest_namespace_fits_into_the_index(store):
    for unit in ("x", "é", "🐝"):
        label = unit * ((MOST_BYTES - 8) // len(unit.encode()))
        store.put((label,), "k" * 100_000, {})
        assert store.search((label,))[0].namespace == (label,)
    many = tuple("abcdefgh"[number % 8] for number in range(MOST_BYTES // 9))
    store.put(many, "k", {})
    assert store.search(many[:-1])[0].namespace == many


@pytest.mark.parametrize("key", ["\0", "\ud800"])
def test_keys_that_cannot_be_are_refused(store, key):
    for call in (lambda: store.get(NS, key), lambda: store.put(NS, key, {}), lambda: store.delete(NS, key)):
        with pytest.raises(ValueError, match="no key"):
            call()


def test_members_of_enumerations_are_their_texts(store):
    store.put((Colour.YELLOW,), Colour.YELLOW, {"colour": Colour.YELLOW, Colour.YELLOW: 1})
    assert store.get(("yellow",), "yellow").value == {"colour": "yellow", "yellow": 1}
    assert store.search((Colour.YELLOW,), filter={"colour": Colour.YELLOW, Colour.YELLOW: {"$gte": True + 0}})
    assert store.search((), filter={"colour": {"$gte": Colour.YELLOW}})


VALUES = [
    {},
    {"": ""},
    {"nul": "a\0b", "\0": [{"\0": "\0"}]},
    {"half": "\ud800", "other": ["x\udfff"]},
    {"floats": [-0.0, 1e22, 1e-300, 5e-324, 0.1, 1.7976931348623157e308, 1.0]},
    {"integers": [2**63, -(2**64), 10**300, 0, True, False]},
    {"nested": {"a": [{"b": [[], {}, None]}]}},
    {"quotes": "'\"\\%s{}$1", "lines": "\n\t\r\x1f\x7f\u2028"},
    {"long": "x" * 5_000_000},
    {"words": " ".join(f"word{number}" for number in range(200_000))},
    {"deep": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: next(iter(value), "empty"))
def test_values_come_back_as_they_were(store, value):
    store.put(NS, "one", value, index=False)
    for found in (store.get(NS, "one").value, store.search(NS)[0].value):
        assert found == value
        assert repr(found) == repr(value) or set(map(str, found)) == set(map(str, value))


def test_the_sign_of_zero_and_the_type_of_a_large_float_are_kept(store):
    store.put(NS, "one", {"zero": -0.0, "large": 1e22})
    found = store.get(NS, "one").value
    assert (repr(found["zero"]), repr(found["large"])) == ("-0.0", "1e+22")


def test_what_jsonb_cannot_hold_is_still_readable_in_sql(store):
    store.put(NS, "one", {"text": "a\0b\ud800c"})
    assert AgentMemory.objects.get(value__text="ab?c").content_text == "ab?c"


circle: dict = {}
circle["self"] = circle


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"when": datetime(2026, 1, 1)}, TypeError),
        ({"id": uuid4()}, TypeError),
        ({"bytes": b"x"}, TypeError),
        ({"set": {1}}, TypeError),
        ({1: "number"}, TypeError),
        ({"inner": {None: 1}}, TypeError),
        ({"nan": float("nan")}, ValueError),
        ({"infinite": [-float("inf")]}, ValueError),
        (circle, ValueError),
        (["list"], TypeError),
        ("text", TypeError),
    ],
)
@pytest.mark.parametrize("index", [False, None])
def test_what_is_not_json_is_refused_and_nothing_of_the_batch_is_done(store, value, error, index):
    with pytest.raises(error):
        store.batch([PutOp(NS, "good", {"a": 1}), PutOp(NS, "bad", value, index)])
    assert not AgentMemory.objects.exists()


def test_a_changed_value_does_not_change_what_is_stored(store):
    value = {"list": [1]}
    store.put(NS, "one", value)
    value["list"].append(2)
    store.get(NS, "one").value["list"].append(3)
    assert store.get(NS, "one").value == {"list": [1]}


def test_a_batch_reads_before_it_writes_and_the_last_put_counts(store):
    store.put(NS, "one", {"n": 1})
    results = store.batch(
        [
            PutOp(NS, "one", {"n": 2}),
            GetOp(NS, "one"),
            PutOp(NS, "two", {"n": 1}),
            SearchOp(NS),
            PutOp(NS, "two", None),
            ListNamespacesOp(),
            PutOp(NS, "three", None),
            PutOp(NS, "three", {"n": 3}),
            GetOp(NS, "three"),
            PutOp(NS, "one", {"n": 4}),
        ]
    )
    assert results[1].value == {"n": 1}
    assert [item.key for item in results[3]] == ["one"]
    assert results[5] == [NS]
    assert [results[place] for place in (0, 2, 4, 6, 7, 8, 9)] == [None] * 7
    assert {item.key: item.value["n"] for item in store.search(NS)} == {"one": 4, "three": 3}


def test_a_batch_takes_one_statement_for_each_kind_of_read(store, tmp_path):
    store.batch([PutOp((f"{number:02}",), "k", {"n": number}) for number in range(20)])
    gets = [GetOp((f"{number:02}",), "k") for number in range(20)]
    searches = [SearchOp((f"{number:02}",), filter={"n": {"$gte": 0}}) for number in range(20)]
    listings = [ListNamespacesOp(limit=number) for number in range(20)]
    trace = tmp_path / "trace"
    with trace.open("w") as file:  # libpq writes down what it sends
        connection.connection.pgconn.trace(file.fileno())
        results = store.batch([*gets, *searches, *listings])
        connection.connection.pgconn.untrace()
    assert trace.read_text().count("\tExecute\t") == 3
    assert [item.value["n"] for item in results[:20]] == list(range(20))
    assert [item.value["n"] for (item,) in results[20:40]] == list(range(20))
    assert [len(found) for found in results[40:]] == list(range(20))


@pytest.mark.parametrize("op", ["get", None, ("bees",)])
def test_what_is_no_operation_is_refused(store, op):
    with pytest.raises(TypeError):
        store.batch([op])


def test_an_empty_batch_does_nothing(store):
    assert store.batch([]) == []
    assert asyncio.run(store.abatch(iter([]))) == []


def test_every_change_is_an_event_without_the_value(store):
    store.put(NS, "one", {"text": "secret"})
    store.put(NS, "one", {"text": "other"})
    item = AgentMemory.objects.get()
    store.delete(NS, "one")
    events = AgentEvent.objects.filter(aggregate_id=item.pk).order_by("version")
    assert [event.event_data["change"] for event in events] == ["remembered", "changed", "forgotten"]
    assert "secret" not in str([event.event_data for event in events])
    assert first_break(item.pk) is None


@pytest.mark.django_db(transaction=True)
def test_in_a_transaction_that_fails_nothing_is_put(store):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        store.put(NS, "one", {"a": 1})
        assert store.get(NS, "one")
        raise ZeroDivisionError
    assert store.get(NS, "one") is None
    assert not AgentEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_threads_that_put_one_key_leave_one_item(store):
    calls = [lambda n=n: store.put(NS, "one", {"text": "x", "n": n}) for n in range(8)]
    assert at_once(*calls) == [None] * 8
    item = AgentMemory.objects.get()
    assert item.value["n"] in range(8)
    changes = AgentEvent.objects.filter(aggregate_id=item.pk).order_by("version")
    assert [event.event_data["change"] for event in changes] == ["remembered", *["changed"] * 7]


@pytest.mark.django_db(transaction=True)
def test_batches_that_cross_neither_fail_nor_mix(store):
    keys = [str(number) for number in range(6)]

    def rounds(mark: int) -> None:
        for number in range(15):
            order = keys if (mark + number) % 2 else keys[::-1]
            gone = order[:3] if mark % 3 else order[3:]
            store.batch([PutOp(NS, key, None if key in gone else {"mark": mark}, False) for key in order])

    assert at_once(*[lambda mark=mark: rounds(mark) for mark in range(4)]) == [None] * 4
    assert len(store.search(NS)) == 3
    assert len({item.value["mark"] for item in store.search(NS)}) == 1


@pytest.mark.django_db(transaction=True)
def test_from_an_event_loop_many_at_once(store):
    async def all_of_them():
        await asyncio.gather(*[store.aput(NS, str(n), {"text": "bee", "n": n}) for n in range(20)])
        await store.adelete(NS, "0")
        found = await store.asearch(NS, query="bee", limit=50)
        one, none = await store.aget(NS, "7"), await store.aget(NS, "0")
        return found, one, none, await store.alist_namespaces(prefix=("bees",))

    found, one, none, listed = asyncio.run(all_of_them())
    assert sorted(item.value["n"] for item in found) == list(range(1, 20))
    assert (one.value["n"], none, listed) == (7, None, [NS])
