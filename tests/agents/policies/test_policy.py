"""Policies: the first rule that applies decides."""

from datetime import UTC, datetime
from time import process_time
from typing import Any

import pytest

from agents.errors import InvalidInput
from agents.lifecycle import Policy, Risk
from agents.policies import policy
from agents.policies.conditions import Facts
from agents.policies.policy import AtDeadline, Terms
from agents.roles import Level, Role


def facts(tool: str = "pay", cents: int = 100, risk: Risk = Risk.HIGH) -> Facts:
    at = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
    return Facts(tool, risk, Level.WORKER, "bank.clerk", {"cents": cents}, at)


RULES: list[dict[str, Any]] = [
    {
        "name": "never much",
        "policy": "refuse",
        "when": {"tools": ["pay"], "arguments": [{"at": "cents", "comparison": "more_than", "value": 100_000}]},
        "reason": "Nobody pays that much.",
    },
    {
        "name": "two for a lot",
        "policy": "ask",
        "when": {"tools": ["pay"], "arguments": [{"at": "cents", "comparison": "at_least", "value": 1000}]},
        "terms": {"people": 2, "role": "admin"},
    },
    {"name": "small change", "policy": "run", "when": {"tools": ["pay"]}},
]


@pytest.mark.parametrize(
    ("call", "ruled", "rule"),
    [
        (facts(cents=100_001), Policy.REFUSE, "never much"),
        (facts(cents=100_000), Policy.ASK, "two for a lot"),
        (facts(cents=999), Policy.RUN, "small change"),
        (facts(tool="mail"), Policy.ASK, ""),
    ],
)
def test_the_first_rule_that_applies_decides(call, ruled, rule):
    document = policy.parse({"rules": RULES, "terms": {"not_own": True}})
    ruling = document.ruling(call, Policy.ASK)
    assert (ruling.policy, ruling.rule) == (ruled, rule)


def test_terms_are_the_rules_own_or_those_of_all():
    document = policy.parse({"rules": RULES, "terms": {"not_own": True}})
    assert document.ruling(facts(cents=5000), Policy.RUN).terms == Terms(people=2, role=Role.ADMIN)
    assert document.ruling(facts(tool="mail"), Policy.ASK).terms == Terms(not_own=True)


def test_without_a_policy_each_tool_has_its_own():
    for usual in Policy:
        assert policy.parse({}).ruling(facts(), usual) == policy.Ruling(usual, Terms())


def test_a_policy_is_the_same_after_json():
    given = {
        "rules": [
            {
                "name": "all of it",
                "policy": "ask",
                "when": {
                    "tools": ["pay"],
                    "risks": ["low"],
                    "levels": ["worker"],
                    "agents": ["bank.*"],
                    "arguments": [{"at": "cents", "comparison": "one_of", "value": [1, "2", None]}],
                    "cost_at_least": "0.5",
                    "hours": {"since": "18:00", "until": "08:00", "days": ["sat"], "zone": "Europe/Berlin"},
                },
                "terms": {
                    "deadline": 3600,
                    "at_deadline": "approve",
                    "reminders": [60, 600],
                    "escalations": [{"after": 60, "role": "admin"}, {"after": 600, "person": "ada"}],
                    "undo": 2.5,
                },
            }
        ]
    }
    document = policy.parse(given)
    assert policy.parse(document.model_dump(mode="json")) == document
    terms = document.rules[0].terms
    assert terms is not None
    assert terms.at_deadline is AtDeadline.APPROVE


def test_what_can_be_undone_is_of_low_risk_unless_terms_say_so():
    assert {risk: Terms().undo_seconds(risk) for risk in Risk} == {Risk.LOW: 5.0, Risk.MEDIUM: 0.0, Risk.HIGH: 0.0}
    assert Terms(undo=30).undo_seconds(Risk.HIGH) == 30
    assert Terms(undo=0).undo_seconds(Risk.LOW) == 0


def rule(**changes: Any) -> dict[str, Any]:
    return {"rules": [{"name": "one", "policy": "ask", **changes}]}


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ("no policy", "", "valid dictionary"),
        ({"rule": []}, "rule", "not permitted"),
        (rule(policy="maybe"), "rules.0.policy", "'run', 'ask' or 'refuse'"),
        (rule(name=""), "rules.0.name", "at least 1 character"),
        (rule(name="a\0b"), "rules.0.name", "cannot be stored"),
        (rule(reason="a\0b"), "rules.0.reason", "cannot be stored"),
        ({"rules": [*RULES, RULES[0]]}, "", "two rules are called never much"),
        (rule(policy="run", terms={}), "rules.0", "only a rule that asks"),
        (rule(terms={"role": "operator"}), "rules.0.terms.role", "only approvers and admins"),
        (rule(terms={"people": 0}), "rules.0.terms.people", "greater than or equal to 1"),
        (rule(terms={"people": 2, "person": "ada"}), "rules.0.terms", "cannot be for one person"),
        (rule(terms={"at_deadline": "escalate", "deadline": 60}), "rules.0.terms", "to whom"),
        (rule(terms={"at_deadline": "approve"}), "rules.0.terms", "needs a deadline"),
        (rule(terms={"at_deadline": "approve", "deadline": 60}), "rules.0", "must not approve a call of high risk"),
        (
            rule(when={"risks": ["low"]}, terms={"at_deadline": "approve", "deadline": 60, "people": 2}),
            "rules.0.terms",
            "not approved by silence",
        ),
        ({"terms": {"at_deadline": "approve", "deadline": 60}}, "", "only what a rule names"),
        (rule(terms={"deadline": 60, "reminders": [60]}), "rules.0.terms", "reminds nobody"),
        (rule(terms={"escalations": [{"after": 9}, {"after": 3}]}), "rules.0.terms", "one after the other"),
        (rule(terms={"undo": 61}), "rules.0.terms.undo", "less than or equal to 60"),
        (rule(when={"hours": {"zone": "Mars"}}), "rules.0.when.hours.zone", "no time zone"),
    ],
)
def test_a_policy_that_does_not_fit_is_refused_beside_its_cause(given, field, words):
    with pytest.raises(InvalidInput) as refused:
        policy.parse(given)
    fields = refused.value.data["fields"]
    assert field in fields
    assert words.lower() in fields[field].lower()


def test_a_long_policy_is_read_in_no_time():
    """Each call of a tool reads it; to list the time zones takes milliseconds, a rule."""
    when = {"tools": ["pay"], "hours": {"zone": "Europe/Berlin"}}
    given = {"rules": [{"name": str(number), "policy": "run", "when": when} for number in range(policy.MOST_RULES)]}
    policy.parse(given)
    began = process_time()
    policy.parse(given)
    assert process_time() - began < 0.3
