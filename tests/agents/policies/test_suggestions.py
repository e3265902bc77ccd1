"""Which rule follows from what people decided: none, as soon as they differ."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.policies.conditions import Comparison, Conditions
from agents.policies.suggestions import FURTHER, LEAST, MOST_CONDITIONS, Past, plain, suggested

ADA, OLGA = UUID(int=1), UUID(int=2)
MAIL = {"to": "ada@example.org", "subject": "News", "cc": None, "urgent": True}


def past(**changes: Any) -> Past:
    return Past(**{"person": ADA, "verdict": "approve", "is_edited": False, "arguments": MAIL, **changes})


def conditions(found) -> dict[str, Any]:
    assert {one.comparison for one in found.conditions} <= {Comparison.EQUALS}
    return {one.at: one.value for one in found.conditions}


REJECTED = past(verdict="reject", reason="No.")
EDITED = past(is_edited=True)
ANSWERED = past(verdict="respond")
OLD = past(is_fresh=False)


@pytest.mark.parametrize(
    ("decided", "is_dismissed", "count"),
    [
        ([], False, 0),
        ([past()] * (LEAST - 1), False, 0),
        ([past()] * LEAST, False, LEAST),
        ([past()] * 7, False, 7),
        ([REJECTED] * 6, False, 6),
        ([ANSWERED] * 9, False, 0),
        ([EDITED] * 9, False, 0),
        ([REJECTED, *[past()] * 9], False, 0),
        ([EDITED, *[past()] * 9], False, 0),
        ([ANSWERED, *[past()] * 9], False, 0),
        ([*[past()] * 4, REJECTED, *[past()] * 9], False, 0),
        ([*[past()] * 5, REJECTED, *[past()] * 9], False, 5),
        ([*[past()] * 5, EDITED], False, 5),
        ([OLD] * 30, True, 0),
        ([*[past()] * (FURTHER - 1), *[OLD] * 9], True, 0),
        ([*[past()] * FURTHER, *[OLD] * 9], True, FURTHER + 9),
        ([*[past()] * FURTHER, REJECTED, *[OLD] * 9], True, FURTHER),
        ([*[past()] * 4, REJECTED, *[past()] * FURTHER], True, 0),
    ],
)
def test_what_suggests_a_rule(decided, is_dismissed, count):
    found = suggested(decided, is_dismissed=is_dismissed)
    assert (found.count if found else 0) == count


def test_it_says_how_many_people_agreed_and_why_the_latest_rejected():
    found = suggested([past(verdict="reject", reason="Latest.", person=OLGA), *[REJECTED] * 5])
    assert (found.verdict, found.people, found.reason) == ("reject", 2, "Latest.")


def test_its_conditions_are_what_was_equal_in_all():
    each = [past(arguments={**MAIL, "subject": f"News {number}", "only": 1} | {"o": {"a": 1, "b": number}})
            for number in range(5)]  # fmt: skip
    each[2] = past(arguments={name: value for name, value in each[2].arguments.items() if name != "only"})
    found = suggested(each)
    assert conditions(found) == {"to": "ada@example.org", "cc": None, "urgent": True, "o.a": 1}
    assert found.covers({**MAIL, "subject": "Other", "o": {"a": 1}})
    assert not found.covers({**MAIL, "to": "eve@example.org", "o": {"a": 1}})


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ("1", 1), (None, ""), (1.5, "1.5")])
def test_values_that_only_look_alike_are_no_condition(one, other):
    assert conditions(suggested([past(arguments={"a": one})] * 4 + [past(arguments={"a": other})])) == {}


def test_secrets_are_no_condition():
    arguments = {"key": "hunter2", "login": {"name": "ada", "word": "hunter2"}, "to": "ada"}
    found = suggested([past(arguments=arguments)] * 5, secret={"key", "login"})
    assert conditions(found) == {"to": "ada"}


@pytest.mark.parametrize(
    "arguments",
    [{"": 1}, {"*": 1}, {"a.b": 1}, {"a": [1]}, {"a": "x" * 201}, {"a" * 201: 1}, {"a": {"b": {"c": {"d": 1}}}}],
)
def test_what_a_condition_cannot_name_or_hold_is_none(arguments):
    assert suggested([past(arguments=arguments)] * 5).conditions == ()


def test_there_are_not_more_conditions_than_a_person_reads():
    arguments = {f"a{number}": number for number in range(100)}
    assert len(suggested([past(arguments=arguments)] * 5).conditions) == MOST_CONDITIONS


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.text("ab.*1", max_size=3)
    | st.floats(allow_nan=False, width=16),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab.*1", max_size=2), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text("ab.*1", max_size=2), VALUES, max_size=4)
DECIDED = st.builds(
    Past,
    person=st.sampled_from([ADA, OLGA]),
    verdict=st.sampled_from(["approve", "approve", "approve", "reject", "respond"]),
    is_edited=st.sampled_from([False, False, False, True]),
    arguments=ARGUMENTS | st.just({"a": 1, "b": {"a": "x"}}),
    is_fresh=st.booleans(),
)


@given(st.lists(DECIDED, max_size=14), st.booleans())
def test_a_rule_as_suggested_would_have_decided_all_that_it_comes_from(decided, is_dismissed):
    found = suggested(decided, is_dismissed=is_dismissed)
    if found is None:
        return
    alike = decided[: found.count]
    assert found.count >= LEAST
    assert all(one.verdict == found.verdict and not one.is_edited for one in alike)
    assert all(found.covers(one.arguments) for one in alike)
    assert found.people == len({one.person for one in alike})
    given_on = {"arguments": [one.model_dump(mode="json") for one in found.conditions]}
    assert Conditions.model_validate(given_on).arguments == found.conditions  # a rule takes them as they are
    if found.count < len(decided):
        after = decided[found.count]
        assert after.verdict != found.verdict or after.is_edited


@given(st.lists(DECIDED, max_size=14), DECIDED)
def test_one_contrary_decision_takes_any_suggestion_away(decided, contrary):
    before = suggested(decided)
    if before and (contrary.verdict != before.verdict or contrary.is_edited):
        assert suggested([contrary, *decided]) is None


@given(ARGUMENTS)
def test_each_path_leads_to_its_value_alone(arguments):
    for at, value in plain(arguments):
        assert suggested([past(arguments=arguments)] * 5).covers(arguments)
        assert not isinstance(value, dict | list) and "*" not in at.split(".")
