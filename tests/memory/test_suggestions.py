"""Suggested rules: for who could make them, until one decides otherwise, a rule is there, or nobody wants it."""

from typing import Any

import pytest

from agents.lifecycle import Risk, RuleVerdict, WaitKind
from agents.models import Approval, AuditEntry
from agents.policies.policy import Terms
from agents.policies.suggestions import FURTHER
from agents.roles import Role
from agents.services import decisions, rules
from agents.services.conclusions import Decision
from agents.services.rules import Rule
from memory.models import Dismissal
from memory.services import suggestions
from tests.agents.desk import asked, pass_time, put
from tests.factories import make_member, make_mission, make_project, running
from tests.races import at_once

pytestmark = pytest.mark.django_db

DAY = 86_400


class Desk:
    """A project with two people who decide, and its requests."""

    def __init__(self) -> None:
        self.project = make_project()
        self.ada, self.olga = (make_member(self.project, Role.APPROVER, name) for name in ("ada", "olga"))
        self.admin = make_member(self.project, Role.ADMIN)

    def ask(self, **changes: Any) -> Approval:
        usual = {"terms": Terms(undo=0), "proposed": {"to": "ada", "text": "a"}}
        return put(running(make_mission(self.project, self.olga)), asked(**{**usual, **changes}))[0]

    def decide(self, verdict: str = "approve", *, by=None, edit: Any = None, **changes: Any) -> Approval:
        one = self.ask(**changes)
        decision = Decision(verdict, arguments=edit, reason="" if verdict == "approve" else "Not so.")
        return decisions.decide(one.pk, decision, by=by or self.ada, version=1)

    def decide_alike(self, times: int = 5, **changes: Any) -> None:
        for number in range(times):
            self.decide(**{"proposed": {"to": "ada", "text": f"text {number}"}, **changes})

    def suggested(self, by=None, **changes: Any):
        return suggestions.of(self.ask(**changes), by=by or self.ada)


@pytest.fixture
def desk():
    return Desk()


def test_five_decisions_alike_suggest_a_rule_with_what_they_have_in_common(desk):
    desk.decide_alike(4)
    assert desk.suggested() is None
    desk.decide(by=desk.olga)
    found = desk.suggested()
    assert (found.verdict, found.count, found.people) == ("approve", 5, 2)
    assert [(one.at, one.value) for one in found.conditions] == [("to", "ada")]


def test_rejections_suggest_one_with_the_latest_reason(desk):
    desk.decide_alike(verdict="reject")
    assert (desk.suggested().verdict, desk.suggested().reason) == ("reject", "Not so.")


@pytest.mark.parametrize(
    "contrary", [{"verdict": "reject"}, {"edit": {"to": "eve", "text": "a"}}], ids=["rejected", "edited"]
)
def test_one_contrary_decision_takes_it_away(desk, contrary):
    desk.decide_alike(9)
    desk.decide(**contrary)
    assert desk.suggested() is None
    desk.decide_alike(5)
    assert desk.suggested().count == 5


def test_a_decision_taken_back_counts_neither_way(desk):
    desk.decide_alike()
    undone = desk.decide("reject", terms=Terms(undo=60))
    assert desk.suggested() is None
    decisions.undo(undone.pk, by=desk.ada)
    assert desk.suggested().count == 5


def test_what_rules_decided_counts_for_nothing(desk):
    desk.decide_alike(4)
    made = rules.make(desk.project.pk, Rule("publish_report", RuleVerdict.APPROVE, "Always", {}), by=desk.ada)
    assert desk.ask().status == "approved"
    rules.revoke(made.pk, by=desk.ada)
    assert desk.suggested() is None


def test_a_request_that_the_rule_would_not_decide_suggests_none(desk):
    desk.decide_alike()
    assert desk.suggested(proposed={"to": "eve", "text": "a"}) is None
    assert desk.suggested(tool_name="other") is None
    assert desk.suggested(kind=WaitKind.UNCERTAIN, allowed=("again", "done", "stop")) is None
    assert desk.suggested(allowed=("edit", "reject")) is None
    assert desk.suggested(terms=Terms(people=2)) is None
    decided = desk.decide()
    assert suggestions.of(decided, by=desk.ada) is None


def test_a_rule_that_covers_it_takes_it_away(desk):
    desk.decide_alike()
    open_one = desk.ask()
    elsewhere = {"arguments": [{"at": "to", "comparison": "equals", "value": "eve"}]}
    rules.make(desk.project.pk, Rule("publish_report", RuleVerdict.APPROVE, "Eve", elsewhere), by=desk.ada)
    assert suggestions.of(open_one, by=desk.ada) is not None
    rules.make(desk.project.pk, Rule("publish_report", RuleVerdict.REJECT, "Never", {}, "No."), by=desk.ada)
    assert suggestions.of(open_one, by=desk.ada) is None


def test_it_is_shown_to_who_could_make_it(desk):
    desk.decide_alike(risk=Risk.HIGH)
    assert desk.suggested(risk=Risk.HIGH) is None
    assert desk.suggested(risk=Risk.HIGH, by=desk.admin) is not None
    for role in (Role.VIEWER, Role.OPERATOR):
        assert desk.suggested(by=make_member(desk.project, role)) is None
    assert desk.suggested(by=make_member(make_project())) is None


def test_another_projects_decisions_suggest_nothing(desk):
    desk.decide_alike()
    other = make_project()
    user = make_member(other, Role.APPROVER)
    theirs = put(running(make_mission(other)), asked(proposed={"to": "ada", "text": "a"}))[0]
    assert suggestions.of(theirs, by=user) is None


def test_old_decisions_suggest_nothing(desk):
    desk.decide_alike(4)
    pass_time(desk.decide(), 31 * DAY)
    assert desk.suggested() is None


def test_secrets_are_no_condition(desk):
    schema = {"type": "object", "properties": {"to": {"type": "string", "writeOnly": True}}}
    desk.decide_alike(schema=schema)
    assert desk.suggested(schema=schema, proposed={"to": "anybody", "text": "b"}).conditions == ()


def test_huge_arguments_are_read_only_where_a_rule_is_near(desk, django_assert_max_num_queries):
    desk.decide_alike(5, proposed={"to": "ada", "text": "x" * 1_000_000})
    desk.decide("reject")
    one = desk.ask()
    with django_assert_max_num_queries(1):
        assert suggestions.of(one, by=desk.ada) is None


def test_a_dismissed_one_comes_back_after_further_decisions_alike(desk):
    desk.decide_alike(8)
    assert suggestions.dismiss(desk.ask(), by=desk.ada)
    assert desk.suggested() is desk.suggested(by=desk.olga) is None  # it is the project's
    desk.decide_alike(FURTHER - 1)
    assert desk.suggested() is None
    desk.decide()
    assert desk.suggested().count == 8 + FURTHER
    assert suggestions.dismiss(desk.ask(), by=desk.olga)
    assert desk.suggested() is None
    assert [(one.user_id, one.detail) for one in AuditEntry.objects.filter(action="suggestion.dismiss")] == [
        (desk.ada.pk, {"tool": "publish_report"}),
        (desk.olga.pk, {"tool": "publish_report"}),
    ]


def test_another_tools_suggestion_stays(desk):
    desk.decide_alike()
    desk.decide_alike(tool_name="other")
    suggestions.dismiss(desk.ask(), by=desk.ada)
    assert desk.suggested() is None
    assert desk.suggested(tool_name="other") is not None


def test_nothing_is_dismissed_where_nothing_is_suggested(desk):
    assert not suggestions.dismiss(desk.ask(), by=desk.ada)
    assert not Dismissal.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_pressed_by_two_at_once_it_is_dismissed_once():
    desk = Desk()
    desk.decide_alike()
    one = desk.ask()
    outcomes = at_once(*[lambda by=by: suggestions.dismiss(one, by=by) for by in (desk.ada, desk.olga, desk.ada)])
    assert sorted(outcomes) == [False, False, True]
    assert AuditEntry.objects.filter(action="suggestion.dismiss").count() == 1
