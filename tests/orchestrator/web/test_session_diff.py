"""What differs between two states."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from orchestrator.web.state_diff import Changes, Kind, compare, partner
from orchestrator.web.state_tree import value_at

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=True, width=16) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("xyz", max_size=1), inner, max_size=4),
    max_leaves=20,
)
STATES = st.dictionaries(st.sampled_from("pqr"), VALUES)


def canonical(value) -> str:
    """A text that differs where values do, in type too, whatever the order of keys is."""
    return json.dumps(value, sort_keys=True)


def told(old, new):
    return [(change.kind.value, "".join(change.place), change.before, change.after) for change in compare(old, new)]


def test_scalars_keys_and_items_are_told_by_path():
    old = {"a": {"x": 1, "gone": 2}, "same": [1, 2], "list": ["one", "two"]}
    new = {"a": {"x": 3, "come": None}, "same": [1, 2], "list": ["one", "two", "three", "four"]}
    assert told(old, new) == [
        ("changed", "a.x", "1", "3"),
        ("added", "a.come", "—", "null"),
        ("removed", "a.gone", "2", "—"),
        ("added", "list[2…3]", "—", "2 items"),
    ]


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), (0.0, -0.0), ("1", 1), (None, ""), ([], {}), (False, 0)])
def test_values_that_python_calls_equal_differ(old, new):
    assert [change.kind for change in compare({"v": old}, {"v": new})] == [Kind.CHANGED]


def test_nan_is_the_same_as_itself():
    assert told({"v": float("nan")}, {"v": [float("nan")]}) != []
    assert told({"v": [float("nan"), 1]}, {"v": [float("nan"), 1]}) == []


def test_an_item_put_in_the_middle_moves_no_other():
    old = [{"n": number} for number in range(100)]
    new = [*old[:50], {"n": "new"}, *old[50:]]
    assert [(change.kind, change.path) for change in compare(old, new)] == [(Kind.ADDED, (50,))]
    assert [(change.kind, change.path) for change in compare(new, old)] == [(Kind.REMOVED, (50,))]


def test_a_message_is_known_by_its_id_when_it_moved_and_changed():
    old = [AIMessage(text, id=text) for text in "abcdef"]
    new = [AIMessage("first", id="z"), *old[:2], AIMessage("C!", id="c"), *old[3:5]]
    assert [(change.kind, change.path) for change in compare(old, new)] == [
        (Kind.ADDED, (0,)),
        (Kind.CHANGED, (3, "content")),
        (Kind.REMOVED, (5,)),
    ]


def test_two_long_lists_with_nothing_in_common_are_compared_by_position():
    old, new = [f"a{n}" for n in range(5000)], [f"b{n}" for n in range(5001)]
    found = list(compare(old, new))
    assert len(found) == 5001
    assert found[-1].kind is Kind.ADDED


def test_a_long_text_is_shown_from_where_it_differs():
    start = "x" * 50_000
    (change,) = compare({"t": f"{start}old"}, {"t": f"{start}new"})
    assert change.before.startswith("“…xxx") and "old" in change.before
    assert "new" in change.after
    assert len(change.after) < 1000


def test_rows_are_told_what_happened_at_or_below_them():
    old = {"a": {"x": 1, "y": "z" * 99}, "list": [1, 2, 3]}
    new = {"a": {"x": 2, "y": "q" * 99}, "list": [1, 2, 3, 4, 5], "b": {}}
    changes = Changes(compare(old, new))
    assert changes.told(("a",)) == "2 changed"
    assert changes.told(("a", "x")) == "1 → 2"
    assert changes.told(("a", "y")) == "changed"
    assert changes.told(("list",)) == "+2"
    assert changes.told(("b",)) == "added"
    assert [changes.told(("list", place)) for place in range(6)] == ["", "", "", "added", "added", ""]
    assert changes.told(("nothing",)) == ""
    assert changes.count(Kind.ADDED) == 3


@given(STATES, STATES)
def test_what_is_new_stands_where_the_differences_say(old, new):
    for change in compare(old, new):
        if change.kind is not Kind.REMOVED:
            assert canonical(value_at(new, change.path)) == canonical(change.new)
        if change.kind is Kind.CHANGED:
            assert canonical(partner(old, new, change.path)) == canonical(change.old)


@given(STATES, STATES)
def test_there_are_differences_exactly_where_states_differ(old, new):
    assert bool(list(compare(old, new))) is (canonical(old) != canonical(new))
    assert list(compare(old, copy.deepcopy(old))) == []


def test_kinds_of_holders_that_hold_the_same_differ():
    assert [change.kind for change in compare({"v": [1]}, {"v": (1,)})] == [Kind.CHANGED]
    assert told({"v": AIMessage("x", id="1")}, {"v": HumanMessage("x", id="1")})[0][:2] == ("changed", "v.type")
