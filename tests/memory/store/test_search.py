"""Searching and listing: by prefix, filter, likeness; equal to LangGraph's in-memory store where that is right."""

import asyncio
from operator import eq, ge, gt, le, lt, ne

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from agents.actor import SYSTEM
from memory import embedders, selectors
from memory.models import AgentMemory
from memory.search import MemoryFilter
from memory.services import memories
from memory.services.memories import Note
from memory.store import QueenrightStore, searching
from memory.words import MemoryType
from tests.factories import make_mission

NS = ("bees",)


def keys(found) -> list[str]:
    return [item.key for item in found]


def test_the_newest_comes_first_and_pages_follow_each_other(store):
    for number in range(7):
        store.put(NS, str(number), {})
    store.put(NS, "3", {"again": True})
    assert keys(store.search(NS)) == ["3", "6", "5", "4", "2", "1", "0"]
    assert keys(store.search(NS, limit=2)) + keys(store.search(NS, limit=9, offset=2)) == keys(store.search(NS))
    assert store.search(NS, limit=0) == []
    assert [item.score for item in store.search(NS, limit=1)] == [None]


@pytest.mark.parametrize("page", [{"limit": -1}, {"offset": -1}, {"limit": 2**63}, {"offset": 2**63}])
def test_impossible_pages_are_refused(store, page):
    with pytest.raises(ValueError):
        store.search(NS, **page)
    with pytest.raises(ValueError):
        store.list_namespaces(**page)
    with pytest.raises(ValueError):
        store.list_namespaces(max_depth=-1)


# Filters

VALUE = {
    "n": 10,
    "f": 2.5,
    "s": "10",
    "t": True,
    "none": None,
    "list": [1, {"a": 2, "b": 3}],
    "o": {"a": {"b": 7}, "0": "zero"},
    "a.b": "dotted",
    "$x": 1,
    "when": "2026-03-01",
}
PASS = [
    {},
    {"n": 10},
    {"n": 10.0},
    {"n": {"$eq": 10}},
    {"n": {"$gt": 9}},
    {"n": {"$gt": 9.99, "$lt": 10.01}},
    {"n": {"$gte": 10, "$lte": 10}},
    {"n": {"$lt": 100}},
    {"n": {"$lt": float("inf"), "$gt": -float("inf")}},
    {"n": {"$lt": 10**30}},
    {"n": {"$ne": "10"}},
    {"s": {"$gt": "1", "$lt": "9"}},
    {"when": {"$gte": "2026-02-27", "$lt": "2026-03-02"}},
    {"f": 2.5, "t": True},
    {"none": None},
    {"missing": None},
    {"missing": {"$eq": None}},
    {"missing": {"$ne": 1}},
    {"list": [1, {"a": 2}]},
    {"list": [{"$gt": 0}, {"b": {"$lte": 3}}]},
    {"list": {"$eq": [1, {"a": 2, "b": 3}]}},
    {"o": {"a": {"b": 7}}},
    {"o": {"a": {"b": {"$gt": 6}}}},
    {"o": {}},
    {"o": {"$eq": {"a": {"b": 7}, "0": "zero"}}},
    {"o": {"missing": None}},
    {"a.b": "dotted"},
    {"$x": 1},
]
FAIL = [
    {"n": 9},
    {"n": "10"},
    {"n": {"$gt": 10}},
    {"n": {"$gt": 9, "$lt": 10}},
    {"n": {"$gt": "1"}},
    {"s": {"$gt": 1}},
    {"n": {"$ne": 10.0}},
    {"t": 1},
    {"none": {"$ne": None}},
    {"missing": {"$gt": 0}},
    {"missing": {"$lte": ""}},
    {"missing": {"$ne": None}},
    {"missing": {}},
    {"list": [1]},
    {"list": 1},
    {"list": {"0": 1}},
    {"list": [1, {"a": 3}]},
    {"list": {"$eq": [1, {"a": 2}]}},
    {"list": []},
    {"o": {"a": 7}},
    {"o": {"$eq": {"a": {"b": 7}}}},
    {"o": ["zero"]},
    {"a": {"b": "dotted"}},
    {"n": 10, "f": 2.4},
]


@pytest.mark.parametrize("chosen", PASS, ids=str)
def test_it_passes(store, chosen):
    store.put(NS, "one", VALUE)
    assert keys(store.search(NS, filter=chosen)) == ["one"]
    assert keys(store.search(NS, filter=chosen, query="x")) == []  # it has no text to be like anything
    store.put(NS, "one", VALUE | {"text": "y"})
    assert keys(store.search(NS, filter=chosen, query="x")) == ["one"]


@pytest.mark.parametrize("chosen", FAIL, ids=str)
def test_it_does_not_pass(store, chosen):
    store.put(NS, "one", VALUE)
    assert store.search(NS, filter=chosen) == []


@pytest.mark.parametrize(
    "chosen",
    [
        {"n": {"$near": 1}},
        {"n": {"$gt": 1, "other": 2}},
        {"n": {"$gt": None}},
        {"n": {"$gt": True}},
        {"n": {"$gt": [1]}},
        {"n": {"$gt": float("nan")}},
        {"n": float("nan")},
        {"n": "a\0b"},
        {"n": "\ud800"},
        {"n\0": 1},
        {"n": {"a\0": 1}},
        {"n": {"$lt": "\0"}},
    ],
    ids=repr,
)
def test_filters_that_make_no_sense_are_refused(store, chosen):
    with pytest.raises(ValueError):
        store.search(NS, filter=chosen)


@pytest.mark.parametrize(
    ("operator", "passes"), [("$gt", gt), ("$gte", ge), ("$lt", lt), ("$lte", le), ("$eq", eq), ("$ne", ne)]
)
def test_numbers_are_compared_as_numbers(store, operator, passes):
    numbers = [2, 10, 9.5, -1, 100, 1000.0, 0, 2**70]
    store.batch([PutOp(NS, str(number), {"n": number}) for number in numbers])
    for bound in (2, 9.5, 9.75, -5, 100.0, 2**70):
        found = {item.value["n"] for item in store.search(NS, filter={"n": {operator: bound}})}
        assert found == {number for number in numbers if passes(number, bound)}


# Likeness


def test_the_nearest_comes_first_with_its_likeness(store):
    store.put(NS, "bees", {"text": "bbee"})
    store.put(NS, "wasps", {"text": "wwaa"})
    store.put(NS, "mixed", {"text": "bbww"})
    found = store.search(NS, query="bbee")
    assert keys(found) == ["bees", "mixed", "wasps"]
    assert [round(item.score, 3) for item in found] == [1.0, 0.5, 0.0]
    assert keys(store.search(NS, query="bbee", limit=1, offset=1)) == ["mixed"]


def test_only_what_lies_below_the_prefix_and_passes_is_compared(store):
    for place in range(40):
        store.put(("near",), str(place), {"text": "aaaa", "chosen": place == 7})
        store.put(("far",), str(place), {"text": "zzzz" + "a" * (place % 3)})
        store.put(("far away",), str(place), {"text": "aaaa"})
    assert {item.namespace for item in store.search(("far",), query="aaaa", limit=99)} == {("far",)}
    assert len(store.search(("far",), query="aaaa", limit=99)) == 40
    assert keys(store.search((), query="zzzz", filter={"chosen": True})) == ["7"]


def test_items_and_fields_that_are_not_indexed_are_not_found_by_likeness(store):
    store.put(NS, "no", {"text": "aaa"}, index=False)
    store.put(NS, "other", {"text": "aaa", "title": "zzz"}, index=["title"])
    store.put(NS, "none", {"text": None})
    assert [(item.key, item.score) for item in store.search(NS, query="aaa")] == [("other", 0.0)]
    assert {item.key for item in store.search(NS)} == {"no", "other", "none"}


def test_an_item_is_as_near_as_its_nearest_text(store):
    store.put(NS, "many", {"parts": [{"t": "zz"}, {"t": "aa"}, {"t": "bb"}]}, index=["parts[*].t"])
    store.put(NS, "one", {"text": "ab"})
    found = store.search(NS, query="aa")
    assert [(item.key, round(item.score, 2)) for item in found] == [("many", 1.0), ("one", 0.71)]
    assert keys(store.search(NS, query="bb", limit=1)) == ["many"]


def test_what_was_indexed_before_is_forgotten(store):
    store.put(NS, "one", {"parts": ["aa", "bb", "cc"]}, index=["parts[*]"])
    store.put(NS, "one", {"parts": ["aa", "bb", "cc"]}, index=["parts[0]"])
    assert store.search(NS, query="cc")[0].score == pytest.approx(0)
    store.put(NS, "one", {"parts": ["aa"]}, index=False)
    assert store.search(NS, query="aa") == []


def test_a_text_without_a_direction_is_unlike_everything(store):
    store.put(NS, "zeros", {"text": "123"})
    store.put(NS, "letters", {"text": "ab"})
    assert [(item.key, item.score) for item in store.search(NS, query="b")][1:] == [("zeros", 0.0)]
    assert [item.score for item in store.search(NS, query="...")] == [0.0, 0.0]


def test_the_local_embedder_finds_by_meaning(make_store):
    store = make_store(index=None)
    store.put(NS, "honey", {"text": "Bees turn nectar into honey."})
    store.put(NS, "trains", {"text": "The train to the coast is late."})
    found = store.search(NS, query="How do insects make something sweet?")
    assert keys(found) == ["honey", "trains"]
    assert AgentMemory.objects.get(key="honey").embedder == embedders.active().name


def test_without_an_index_the_query_is_not_looked_at(make_store):
    store = make_store(index=False)
    store.put(NS, "one", {"text": "aaa"})
    assert [(item.key, item.score) for item in store.search(NS, query="zzz")] == [("one", None)]


def test_vectors_of_two_embedders_are_not_compared(store, make_store):
    store.put(NS, "letters", {"text": "bees"})
    local = make_store(index=None)
    local.put(NS, "local", {"text": "bees"})
    assert keys(local.search(NS, query="bees")) == ["local"]
    assert keys(store.search(NS, query="bees")) == ["letters"]


def test_embedders_of_another_size_are_refused(make_store):
    with pytest.raises(ValueError, match="384"):
        make_store(index={"dims": 1536, "embed": lambda texts: []})
    for wrong in ([[1.0]], [[float("nan")] * 384], []):
        with pytest.raises(ValueError):
            make_store(index={"embed": lambda texts, wrong=wrong: wrong}).put(NS, "k", {"text": "x"})
    assert not AgentMemory.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_embedder_serves_asynchronous_calls(make_store):
    async def embed(texts):
        return [[float(len(text))] + [1.0] * 383 for text in texts]

    store = make_store(index={"embed": embed})

    async def use():
        await store.aput(NS, "one", {"text": "x"})
        return await store.asearch(NS, query="y")

    assert keys(asyncio.run(use())) == ["one"]


# Where more passes than is compared


@pytest.fixture(params=[True, False], ids=["expected", "met"])
def through_the_index(monkeypatch, request):
    """The index answers, though the table is so small that PostgreSQL would rather read all of it.

    That too many pass is expected by the planner, or found out by meeting them.
    """
    monkeypatch.setattr(searching, "MOST_COMPARED", 10)
    monkeypatch.setattr(searching, "FAR_TOO_MANY", 0 if request.param else 1_000_000)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")


TEXTS = [f"{one}{one}{two}{three}" for one in "abcdef" for two in "ghijk" for three in "lmno"]


def fill(store) -> None:
    store.batch([PutOp(("wide", text[0]), text, {"text": text, "odd": place % 2}) for place, text in enumerate(TEXTS)])


def test_the_index_finds_what_comparing_all_finds(make_store, through_the_index):
    store = make_store()
    fill(store)
    searches = [SearchOp(("wide",), {"odd": 1}, 5, 0, text) for text in TEXTS[::7]]
    searches += [SearchOp(("wide",), None, 7, 3, text) for text in TEXTS[::7]]
    searches += [SearchOp(("wide", "b"), None, 5, 0, text) for text in TEXTS[::7]]
    near = store.batch(searches)
    searching.MOST_COMPARED = searching.FAR_TOO_MANY = len(TEXTS)
    for one, other in zip(near, store.batch(searches), strict=True):
        assert [round(item.score, 5) for item in one] == [round(item.score, 5) for item in other]


def test_through_the_index_an_item_is_as_near_as_its_nearest_text(store, through_the_index):
    fill(store)
    store.put(("wide",), "many", {"parts": ["zzzz", "yyyy", "xxxx"]}, index=["parts[*]"])
    for query in ("zzzz", "yyyy", "xxxx"):
        found = store.search(("wide",), query=query, limit=2)
        assert (found[0].key, round(found[0].score, 5)) == ("many", 1.0)
        assert found[1].key != "many"


def test_what_lies_too_far_away_for_the_index_is_found_all_the_same(store, through_the_index):
    fill(store)
    near = [PutOp(("near",), str(place), {"text": "aagl" + "aagl" * place}) for place in range(400)]
    store.batch([*near, *[PutOp(("far",), str(place), {"text": "zzzz"}) for place in range(20)]])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL hnsw.max_scan_tuples = 1")
    found = store.search(("far",), query="aagl", limit=15)
    assert len(found) == 15
    assert {item.namespace for item in found} == {("far",)}


@pytest.mark.parametrize("page", [{"limit": 500}, {"limit": 2, "offset": 100}, {"limit": 2, "offset": 1000}])
def test_deep_pages_are_exact(store, through_the_index, page):
    fill(store)
    expected = sorted(TEXTS)[page.get("offset", 0) :][: page["limit"]]
    assert len(store.search(("wide",), query="aagl", **page)) == len(expected)


def test_where_the_planner_expected_too_many_all_that_pass_are_found(make_store, through_the_index):
    store = make_store()
    fill(store)
    found = store.search(("wide", "b"), query="bbgl", filter={"odd": 1}, limit=50)
    assert sorted(item.key for item in found) == sorted(text for text in TEXTS[1::2] if text[0] == "b")


# Namespaces


@pytest.fixture
def paths(store):
    for path in ["a b c", "a b d e", "a b d i", "a b f", "a c f", "z"]:
        store.put(tuple(path.split()), "k", {})
    return store


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        ({}, "a b c|a b d e|a b d i|a b f|a c f|z"),
        ({"prefix": ("a", "b"), "max_depth": 3}, "a b c|a b d|a b f"),
        ({"prefix": ("a", "*", "f")}, "a b f|a c f"),
        ({"suffix": ("f",)}, "a b f|a c f"),
        ({"suffix": ("b", "*")}, "a b c|a b f"),
        ({"prefix": ("a",), "suffix": ("d", "*")}, "a b d e|a b d i"),
        ({"prefix": ("*",), "max_depth": 1}, "a|z"),
        ({"max_depth": 0}, ""),
        ({"max_depth": 2**40, "prefix": ("z",)}, "z"),
        ({"limit": 2, "offset": 1}, "a b d e|a b d i"),
        ({"max_depth": 2, "limit": 1, "offset": 1}, "a c"),
        ({"limit": 0}, None),
        ({"prefix": ("a", "b", "c", "d")}, None),
    ],
)
def test_namespaces_are_listed(paths, asked, listed):
    found = paths.list_namespaces(**asked)
    assert found == ([tuple(path.split()) for path in listed.split("|")] if listed is not None else [])


def test_unknown_matches_are_refused(store):
    with pytest.raises(ValueError, match="match type"):
        store.batch([ListNamespacesOp((MatchCondition("middle", ("a",)),))])


def test_namespaces_are_ordered_by_code_points(store):
    labels = ["b", "B", "a", "ä", "aa", "A", "_", "🐝", "\uffff", "z", "~"]
    for label in labels:
        store.put((label,), "k", {})
    assert store.list_namespaces() == sorted((label,) for label in labels)
    for label in labels:
        assert [item.namespace for item in store.search((label,))] == [(label,)]


# Beside agents' memories


def test_agents_memories_and_items_leave_each_other_alone(store):
    mission = make_mission(project=None)
    own = QueenrightStore(mission.project_id, index=False)
    memory = memories.remember(mission, Note('{"a": 1}', MemoryType.SEMANTIC, 0.5, namespace=("x",)))
    own.put(("x",), "k", {"a": 1})
    own.put(("x",), "l", {"a": 1})
    assert memories.remember(mission, Note('{"a": 1}', MemoryType.SEMANTIC, 0.5, namespace=("x",))).pk == memory.pk
    assert {item.key for item in own.search(("x",))} == {"k", "l"}
    for item in own.search(()):
        own.delete(item.namespace, item.key)
    assert AgentMemory.objects.get() == memory


@pytest.mark.parametrize("index", [None, False])
def test_items_are_found_on_the_memory_page_and_may_be_forgotten_there(make_store, index):
    store = make_store(index=None)
    store.put(NS, "one", {"text": "The waggle dance points to flowers."}, index)
    store.put(NS, "two", {"text": "Trains are late."}, index)
    item = AgentMemory.objects.get(key="one")
    for query in ("waggle dance", ""):
        found = selectors.find(item.project_id, query, MemoryFilter(namespace=NS), 5)
        assert item in [one.memory for one in found]
    assert selectors.find(item.project_id, "waggle dance", MemoryFilter(), 5)[0].memory == item
    assert selectors.holdings(item.project_id).unembedded == 0
    memories.forget(item.pk, actor=SYSTEM)
    assert keys(store.search(NS)) == ["two"]


# Any sequence, against LangGraph's own


labels = st.sampled_from(["a", "b", "*x"])
paths_of = st.lists(labels, min_size=1, max_size=3).map(tuple)
names = st.sampled_from(["k", "l", "m"])
scalars = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([0.5, 1e22, "a", "b"]))
values = st.dictionaries(
    st.sampled_from(["p", "q", "r"]),
    st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("p"), inner), max_leaves=3
    ),
    max_size=3,
)
filters = st.one_of(
    st.none(),
    values,
    st.dictionaries(
        st.sampled_from(["p", "q"]), st.fixed_dictionaries({}, optional={"$eq": scalars, "$ne": scalars}), max_size=2
    ),
)
stars = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=2).map(tuple)
puts = st.builds(lambda path, key, value: PutOp(path, key, value), paths_of, names, st.none() | values)
reads = st.one_of(
    st.builds(lambda path, key: GetOp(path, key), paths_of, names),
    st.builds(lambda path, chosen: SearchOp(path, chosen, 100), st.lists(labels, max_size=2).map(tuple), filters),
    st.builds(
        lambda matching, depth: ListNamespacesOp(matching, depth),
        st.lists(st.builds(MatchCondition, st.sampled_from(["prefix", "suffix"]), stars), max_size=2).map(tuple),
        st.one_of(st.none(), st.integers(0, 3)),
    ),
)


def comparable(op, result):
    if isinstance(op, GetOp):
        return result and result.value
    if isinstance(op, SearchOp):
        return sorted((item.namespace, item.key, repr(sorted(item.value.items()))) for item in result)
    return result


@given(batches=st.lists(st.lists(st.one_of(puts, puts, reads), min_size=1, max_size=6), min_size=1, max_size=6))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_batches_equals_the_in_memory_store(make_store, batches):
    AgentMemory.objects.all().delete()
    ours, theirs = make_store(index=False), InMemoryStore()
    for ops in batches:
        # what it lists also has namespaces that were only asked for, or are empty again
        for namespace in [namespace for namespace, items in theirs._data.items() if not items]:
            del theirs._data[namespace]
        ordered = sorted(ops, key=lambda op: isinstance(op, GetOp))  # a listing sees what a get before it has made
        for op, own, other in zip(ordered, ours.batch(ordered), theirs.batch(ordered), strict=True):
            if not isinstance(op, PutOp):
                assert comparable(op, own) == comparable(op, other)
