"""Policies in words, and as texts in a form and back."""

from typing import Any

import pytest

from agents.lifecycle import RuleVerdict
from agents.models import ApprovalRule
from agents.policies import policy
from agents.policies.conditions import Comparison
from agents.policies.policy import Terms
from orchestrator.web import durations, rule_texts, rule_words
from orchestrator.web.policy_form import PolicyForm

CENTS = {"at": "cents", "comparison": "at_least", "value": 1000}


def said(outcome: str, when: dict[str, Any], terms: dict[str, Any] | None = None) -> str:
    given = {"name": "a", "policy": outcome, "when": when, **({"terms": terms} if terms else {})}
    (rule,) = policy.parse({"rules": [given]}).rules
    return rule_words.rule(rule, Terms())


@pytest.mark.parametrize(
    ("outcome", "when", "terms", "words"),
    [
        ("ask", {"tools": ["pay"], "arguments": [CENTS]}, {"people": 2, "role": "admin"},
         "Ask two admins when pay\u2019s cents is at least 1000"),
        ("run", {}, None, "Run whatever is called"),
        ("refuse", {"tools": ["pay_*", "wire"]}, None, "Refuse when pay_* or wire is called"),
        ("ask", {"tools": ["pay"]}, {"person": "ada"}, "Ask ada when pay is called"),
        ("ask", {"risks": ["high", "medium"]}, {"role": "admin"}, "Ask an admin when the risk is high or medium"),
        ("ask", {"levels": ["architect", "worker"]}, None,
         "Ask an approver when an architect or a worker calls"),
        ("run", {"arguments": [CENTS, {"at": "to", "comparison": "like", "value": "*@a.org"}]}, None,
         "Run when any tool\u2019s cents is at least 1000 and its to is like “*@a.org”"),
        ("run", {"arguments": [{"at": "to", "comparison": "one_of", "value": ["a", 1, None]}]}, None,
         "Run when any tool\u2019s to is one of “a”, 1 or null"),
        ("run", {"arguments": [{"at": "to", "comparison": "absent"}]}, None,
         "Run when any tool\u2019s to is not there"),
        ("run", {"cost_at_least": "0.5", "agents": ["bank.*"]}, None,
         "Run when an agent of type bank.* calls and it costs at least $0.50"),
        ("run", {"hours": {"since": "18:00", "until": "08:00", "days": ["sat", "sun"], "zone": "Europe/Berlin"}}, None,
         "Run when it is Sat or Sun between 18:00 and 08:00 (Europe/Berlin)"),
        ("run", {"hours": {"since": "18:00"}}, None, "Run when it is between 18:00 and 00:00 (UTC)"),
    ],
)  # fmt: skip
def test_a_rule_reads_as_a_sentence(outcome, when, terms, words):
    assert said(outcome, when, terms) == words


def test_every_comparison_has_words():
    assert set(rule_words.COMPARISONS) == set(Comparison)


def test_terms_read_as_sentences():
    terms = Terms.model_validate(
        {"people": 2, "not_own": True, "deadline": 7200, "reminders": [1800], "undo": 0,
         "escalations": [{"after": 3600, "role": "admin"}]}
    )  # fmt: skip
    assert rule_words.terms(terms) == [
        "Two people must approve the same; one who rejects is enough",
        "Nobody decides what a mission of their own asks",
        "Reminded after 30 min",
        "After 1 h it goes to admins",
        "Rejected after 2 h",
        "A decision cannot be taken back",
    ]
    assert rule_words.terms(Terms()) == []


def test_a_rule_that_decides_reads_so_too():
    rule = ApprovalRule(tool_name="pay", verdict=RuleVerdict.REJECT, conditions={"arguments": [CENTS]})
    assert rule_words.approval_rule(rule) == "Reject when pay\u2019s cents is at least 1000"


def test_what_a_version_changed_is_told_by_rule():
    one, two, three = ({"name": name, "policy": "run", "when": {"tools": [name]}} for name in ("a", "b", "c"))
    before = policy.parse({"rules": [one, two]})
    after = policy.parse({"rules": [three, {**two, "policy": "refuse"}], "terms": {"people": 2}})
    assert [(one.what, one.name, one.before, one.after) for one in rule_words.changes(before, after)] == [
        ("removed", "a", "Run when a is called", ""),
        ("added", "c", "", "Run when c is called"),
        ("changed", "b", "Run when b is called", "Refuse when b is called"),
        ("changed", "how requests are decided", "Ask an approver",
         "Ask two approvers; Two people must approve the same; one who rejects is enough"),
    ]  # fmt: skip
    moved = policy.parse({"rules": [two, one]})
    assert [(change.what, change.after) for change in rule_words.changes(before, moved)] == [("ordered", "b, a")]
    assert rule_words.changes(before, before) == []


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90 s", 90), ("30 min", 1800), ("30min", 1800), ("4h", 14_400), ("1.5 hours", 5400), ("2 days", 172_800),
     ("1 Week", 604_800), ("1 d", 86_400), ("1 minute", 60)],
)  # fmt: skip
def test_lengths_of_time_are_read(typed, seconds):
    assert durations.read(typed) == seconds
    assert durations.read(durations.words(seconds)) == seconds


@pytest.mark.parametrize("typed", ["", "90", "4 parsecs", "-1 h", "1e9 s", "٣ h", "h", "9" * 50 + " s"])
def test_what_is_no_length_of_time_is_refused(typed):
    with pytest.raises(ValueError, match="unit"):
        durations.read(typed)


@pytest.mark.parametrize(
    ("comparison", "value"),
    [
        ("equals", "text"), ("equals", "12"), ("equals", 12), ("equals", True), ("equals", "true"), ("equals", None),
        ("equals", " spaces "), ("equals", ""), ("equals", {"a": [1]}), ("equals", '"quoted"'), ("equals", "a, b"),
        ("like", "12"), ("like", "*@a.org"), ("one_of", ["a", "b"]), ("one_of", ["a, b", 1]), ("one_of", ["1", None]),
        ("none_of", [" x"]), ("at_least", 1.5), ("contains", "null"), ("equals", "NaN"), ("equals", "[1"),
    ],
)  # fmt: skip
def test_a_value_comes_back_from_its_text(comparison, value):
    assert rule_texts.value(comparison, rule_texts.value_text(comparison, value)) == value
    assert type(rule_texts.value(comparison, rule_texts.value_text(comparison, value))) is type(value)


WHOLE: dict[str, Any] = {
    "rules": [
        {
            "name": "all of it",
            "policy": "ask",
            "reason": "So it is.",
            "when": {
                "tools": ["pay", "wire_*"],
                "risks": ["low", "high"],
                "levels": ["worker"],
                "agents": ["bank.*"],
                "arguments": [{**CENTS, "value": 1000.5}, {"at": "note", "comparison": "present"}],
                "cost_at_least": "0.5",
                "hours": {"since": "18:00:30", "until": "08:00", "days": ["sat"], "zone": "Europe/Berlin"},
            },
            "terms": {
                "people": 3,
                "role": "admin",
                "not_own": True,
                "deadline": 90_061,
                "at_deadline": "escalate",
                "reminders": [60, 5400],
                "escalations": [{"after": 60, "role": "admin"}, {"after": 7200, "person": "ada"}],
                "undo": 2.5,
            },
        },
        {"name": "own terms, all as usual", "policy": "ask", "terms": {}},
        {"name": "last", "policy": "run"},
    ],
    "terms": {"person": "olga", "undo": 0},
}


def test_a_policy_comes_back_from_its_form_as_it_was():
    document = policy.parse(WHOLE)
    form = PolicyForm.of(document)
    assert form.json is None
    assert policy.parse(form.read()) == document


@pytest.mark.parametrize(
    "given",
    [
        {"rules": [{"name": " spaces ", "policy": "run"}]},
        {"rules": [{"name": "a", "policy": "run", "when": {"tools": ["a,b"]}}]},
        {"rules": [{"name": "a", "policy": "run", "when": {"arguments": [{**CENTS, "at": " x"}]}}]},
    ],
)
def test_what_the_fields_cannot_hold_is_edited_as_json(given):
    form = PolicyForm.of(policy.parse(given))
    assert form.json is not None
    assert policy.parse(form.read()) == policy.parse(given)
