"""When rules apply."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from agents.lifecycle import Risk
from agents.policies.conditions import Comparison, Conditions, Facts
from agents.policies.parts import parts
from agents.roles import Level

ORDER = {"cents": 1200, "to": "ada@example.org", "items": [{"price": 3, "new": True}, {"price": 40}], "note": None}


def facts(**changes: Any) -> Facts:
    known = {
        "tool": "pay_invoice",
        "risk": Risk.MEDIUM,
        "level": Level.WORKER,
        "agent_type": "bank.clerk",
        "arguments": ORDER,
        "at": datetime(2026, 11, 20, 17, 30, tzinfo=UTC),  # a Friday
        "cost": Decimal("0.25"),
    }
    return Facts(**{**known, **changes})


def holds(**when: Any) -> bool:
    return Conditions.model_validate(when).hold(facts())


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("cents", [1200]),
        ("items.0.price", [3]),
        ("items.*.price", [3, 40]),
        ("items.*.new", [True]),
        ("items.*.*", [3, True, 40]),
        ("items.2.price", []),
        ("cents.price", []),
        ("note", [None]),
        ("nothing", []),
        ("items.-1.price", []),
    ],
)
def test_a_path_names_parts(path, found):
    assert list(parts(ORDER, path)) == found


@pytest.mark.parametrize(
    ("at", "comparison", "value", "expected"),
    [
        ("cents", "equals", 1200, True),
        ("cents", "equals", 1200.0, True),
        ("cents", "equals", "1200", False),
        ("cents", "differs", 1200, False),
        ("cents", "differs", 7, True),
        ("cents", "one_of", [7, 1200], True),
        ("cents", "none_of", [7, 1200], False),
        ("cents", "more_than", 1199, True),
        ("cents", "more_than", 1200, False),
        ("cents", "at_least", 1200, True),
        ("cents", "less_than", 1200, False),
        ("cents", "at_most", 1200, True),
        ("to", "more_than", 3, False),
        ("to", "like", "*@example.org", True),
        ("to", "unlike", "*@example.org", False),
        ("to", "like", "*@EXAMPLE.org", False),
        ("cents", "like", "12*", False),
        ("to", "contains", "@", True),
        ("items", "contains", {"price": 40}, True),
        ("items.0", "contains", "price", True),
        ("cents", "contains", 1, False),
        ("items.*.price", "more_than", 39, True),
        ("items.*.price", "differs", 3, False),
        ("items.*.price", "none_of", [5, 6], True),
        ("items.0.new", "equals", 1, False),
        ("items.0.price", "equals", 3, True),
        ("items.*.price", "equals", True, False),
        ("items", "equals", [{"price": 3, "new": True}, {"price": 40}], True),
        ("items", "equals", [{"price": 3, "new": 1}, {"price": 40}], False),
        ("note", "present", None, True),
        ("nothing", "present", None, False),
        ("nothing", "absent", None, True),
        ("nothing", "equals", None, False),
        ("nothing", "differs", 3, True),
    ],
)
def test_arguments_are_compared(at, comparison, value, expected):
    assert holds(arguments=[{"at": at, "comparison": comparison, "value": value}]) is expected


def test_every_comparison_can_hold():
    given = {
        "equals": 1200,
        "differs": 1,
        "one_of": [1200],
        "none_of": [1],
        "more_than": 1,
        "at_least": 1,
        "less_than": 9999,
        "at_most": 9999,
        "present": None,
    }
    others = {"like": ("to", "*"), "unlike": ("to", "x"), "contains": ("to", "a"), "absent": ("nothing", None)}
    for comparison in Comparison:
        at, value = others.get(comparison, ("cents", given.get(comparison)))
        assert holds(arguments=[{"at": at, "comparison": comparison, "value": value}]), comparison


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, True),
        ({"tools": ["pay_invoice"]}, True),
        ({"tools": ["refund", "pay_*"]}, True),
        ({"tools": ["refund"]}, False),
        ({"risks": ["medium", "high"]}, True),
        ({"risks": ["high"]}, False),
        ({"levels": ["worker"]}, True),
        ({"levels": ["queen"]}, False),
        ({"agents": ["bank.*"]}, True),
        ({"agents": ["shop.*"]}, False),
        ({"cost_at_least": "0.25"}, True),
        ({"cost_at_least": "0.250001"}, False),
        ({"tools": ["pay_*"], "levels": ["queen"]}, False),
    ],
)
def test_conditions_all_must_hold(when, expected):
    assert holds(**when) is expected


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        ({"since": "09:00", "until": "18:00"}, "2026-11-20T17:59:59+00:00", True),
        ({"since": "09:00", "until": "18:00"}, "2026-11-20T18:00:00+00:00", False),
        ({"since": "09:00", "until": "18:00", "zone": "Asia/Tokyo"}, "2026-11-20T00:30:00+00:00", True),
        ({"since": "18:00", "until": "08:00"}, "2026-11-20T23:00:00+00:00", True),
        ({"since": "18:00", "until": "08:00"}, "2026-11-21T07:59:00+00:00", True),
        ({"since": "18:00", "until": "08:00"}, "2026-11-21T08:00:00+00:00", False),
        # the night of a Friday ends on Saturday
        ({"since": "18:00", "until": "08:00", "days": ["fri"]}, "2026-11-21T07:00:00+00:00", True),
        ({"since": "18:00", "until": "08:00", "days": ["fri"]}, "2026-11-20T07:00:00+00:00", False),
        ({"days": ["sat", "sun"]}, "2026-11-21T12:00:00+00:00", True),
        ({"days": ["sat", "sun"]}, "2026-11-23T00:00:00+00:00", False),
        # the clocks go back on 25 October in Berlin: half past two comes twice
        ({"since": "02:00", "until": "03:00", "zone": "Europe/Berlin"}, "2026-10-25T00:30:00+00:00", True),
        ({"since": "02:00", "until": "03:00", "zone": "Europe/Berlin"}, "2026-10-25T01:30:00+00:00", True),
    ],
)
def test_hours_are_those_of_their_zone(hours, at, expected):
    conditions = Conditions.model_validate({"hours": hours})
    assert conditions.hold(facts(at=datetime.fromisoformat(at))) is expected


@pytest.mark.parametrize(
    "when",
    [
        {"tool": ["pay"]},
        {"risks": ["enormous"]},
        {"tools": [""]},
        {"arguments": [{"at": "cents", "comparison": "more_than", "value": "12"}]},
        {"arguments": [{"at": "cents", "comparison": "more_than", "value": True}]},
        {"arguments": [{"at": "cents", "comparison": "one_of", "value": 3}]},
        {"arguments": [{"at": "cents", "comparison": "one_of", "value": []}]},
        {"arguments": [{"at": "cents", "comparison": "like", "value": 3}]},
        {"arguments": [{"at": "cents", "comparison": "present", "value": 3}]},
        {"arguments": [{"at": "", "comparison": "present"}]},
        {"arguments": [{"at": "cents", "comparison": "equals", "value": "a\0b"}]},
        {"hours": {"zone": "Mars/Olympus"}},
        {"hours": {"since": "25:00"}},
        {"hours": {"since": "08:00Z"}},
        {"hours": {"until": "18:00+02:00"}},
        {"hours": {"since": 28800}},
        {"cost_at_least": "-1"},
    ],
)
def test_conditions_that_mean_nothing_are_refused(when):
    with pytest.raises(ValidationError):
        Conditions.model_validate(when)
