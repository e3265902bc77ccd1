"""A project's policy: its versions, what it says of calls, and what another one would have said."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models.functions import Now

from agents.errors import InvalidInput, StaleVersion
from agents.lifecycle import Policy, Risk
from agents.models import AgentSession, AuditEntry, PolicyVersion, Project, ToolExecution
from agents.policies.conditions import Facts
from agents.policies.policy import Document, Terms
from agents.roles import Level, Role
from agents.services import deadlines, ledger, policies, sessions
from tests.factories import make_member, make_mission, make_project, running
from tests.races import at_once

REFUSE_PAY = {"rules": [{"name": "no pay", "policy": "refuse", "when": {"tools": ["pay"]}}]}
ASK_BIG: dict[str, Any] = {
    "rules": [
        {
            "name": "big",
            "policy": "ask",
            "when": {"tools": ["pay"], "arguments": [{"at": "cents", "comparison": "at_least", "value": 1000}]},
            "terms": {"people": 2, "role": "admin"},
        },
        {"name": "small", "policy": "run", "when": {"tools": ["pay"]}},
    ]
}
USUAL = {"pay": Policy.ASK, "mail": Policy.RUN}


@pytest.fixture
def project(db) -> Project:
    return make_project()


@pytest.fixture
def admin(project):
    return make_member(project, Role.ADMIN, "ada")


def save(project: Project, given: Any, by, *, expected: int | None = None, note: str = "") -> PolicyVersion:
    return policies.save(project.pk, given, expected=expected, note=note, by=by)


@transaction.atomic
def call(session: AgentSession, tool: str = "pay", cost: str = "0", policy: Policy = Policy.ASK, **arguments: Any):
    locked = sessions.lock(session.pk)
    made = ledger.Call(uuid4().hex, tool, "1", Risk.MEDIUM, policy, arguments, "I must", Decimal(cost))
    return ledger.open_call(locked, made)


@pytest.fixture
def worker(project) -> AgentSession:
    return running(make_mission(project, agent_type="bank.clerk", level=Level.WORKER))


def test_without_a_version_each_tool_has_its_own_policy(project, worker):
    assert policies.in_force(project.pk) == policies.InForce(None, Document())
    row = call(worker, cents=1)
    assert (row.policy, row.policy_rule, row.policy_version) == (Policy.ASK, "", None)
    assert policies.terms(project.pk, "", None) == Terms()


def test_each_version_is_kept_and_the_latest_is_in_force(project, admin):
    save(project, REFUSE_PAY, admin, note="  No payments ")
    save(project, ASK_BIG, admin, expected=1)
    assert policies.in_force(project.pk).number == 2
    assert policies.in_force(project.pk).document.rule_named("big")
    first, second = PolicyVersion.objects.order_by("number")
    assert (first.number, first.note, first.made_by) == (1, "No payments", admin)
    assert (first.document, second.document) == (REFUSE_PAY, ASK_BIG)
    entries = AuditEntry.objects.filter(action="policy.save").order_by("created_at")
    assert [entry.detail for entry in entries] == [{"number": 1}, {"number": 2}]
    assert {entry.user_id for entry in entries} == {admin.pk}


def test_a_project_has_a_policy_of_its_own(project, admin):
    save(project, REFUSE_PAY, admin)
    assert policies.in_force(make_project().pk).number is None


@pytest.mark.parametrize("expected", [None, 0, 2, 99])
def test_who_edited_an_older_version_overwrites_nothing(project, admin, expected):
    save(project, REFUSE_PAY, admin)
    with pytest.raises(StaleVersion) as refused:
        save(project, ASK_BIG, admin, expected=expected)
    assert refused.value.data["version"] == 1
    assert PolicyVersion.objects.get().document == REFUSE_PAY


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("expected", [None, 1])
def test_of_savers_at_once_one_wins_and_the_others_are_told(expected):
    project = make_project()
    people = [make_member(project) for _ in range(4)]
    if expected:
        save(project, {}, people[0])
    outcomes = at_once(*[partial(save, project, REFUSE_PAY, one, expected=expected) for one in people])
    winners = [one for one in outcomes if isinstance(one, PolicyVersion)]
    losers = [one for one in outcomes if isinstance(one, StaleVersion)]
    assert (len(winners), len(losers)) == (1, 3)
    assert {loser.data["version"] for loser in losers} == {winners[0].number}
    assert PolicyVersion.objects.count() == (expected or 0) + 1


def when(comparison: str, value: Any) -> dict[str, Any]:
    condition = {"at": "cents", "comparison": comparison, "value": value}
    return {"rules": [{"name": "a", "policy": "run", "when": {"arguments": [condition]}}]}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"rules": [{"name": "a", "policy": "maybe"}]}, "rules.0.policy"),
        ({"rules": [{"name": "a", "policy": "run", "when": {"tools": ["a\0"]}}]}, "rules.0.when.tools.0"),
        ({"rules": [{"name": "a", "policy": "run", "when": {"agents": ["\ud800"]}}]}, "rules.0.when.agents.0"),
        ({"rules": [{"name": "a", "policy": "run", "when": {"hours": {"days": []}}}]}, "rules.0.when.hours.days"),
        ({"terms": {"person": "a\0"}}, "terms.person"),
        (when("at_least", float("inf")), "rules.0.when.arguments.0"),
        (when("at_most", float("nan")), "rules.0.when.arguments.0"),
        (when("one_of", [1, {"a": float("inf")}]), "rules.0.when.arguments.0"),
        ({"terms": {"escalations": [{"after": 9, "person": "\0"}]}}, "terms.escalations.0.person"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_cause_and_nothing_is_saved(project, admin, given, field):
    with pytest.raises(InvalidInput) as refused:
        save(project, given, admin)
    assert field in refused.value.data["fields"]
    assert not PolicyVersion.objects.exists()


@pytest.mark.parametrize("note", ["x" * 501, "a\0b"])
def test_a_note_has_a_length_and_can_be_stored(project, admin, note):
    with pytest.raises(InvalidInput) as refused:
        save(project, {}, admin, note=note)
    assert "note" in refused.value.data["fields"]


@pytest.mark.parametrize("name", ["nobody", "olga"])
def test_only_who_may_decide_can_be_named(project, admin, name):
    make_member(project, Role.OPERATOR, "olga")
    given = {
        "rules": [{"name": "a", "policy": "ask", "terms": {"person": name}}],
        "terms": {"escalations": [{"after": 60, "person": "ada"}, {"after": 90, "person": name}]},
    }
    for refuse in (partial(save, project, given, admin), partial(policies.tried, project.pk, given, USUAL)):
        with pytest.raises(InvalidInput) as refused:
            refuse()
        assert set(refused.value.data["fields"]) == {"rules.0.terms.person", "terms.escalations.1.person"}
    assert save(project, {"terms": {"person": "ada"}}, admin).number == 1


def test_the_first_rule_that_holds_decides_and_is_named_on_the_call(project, admin, worker):
    save(project, ASK_BIG, admin)
    big, small, other = call(worker, cents=1000), call(worker, cents=999), call(worker, "mail", policy=Policy.RUN)
    assert [(one.policy, one.policy_rule, one.policy_version) for one in (big, small, other)] == [
        (Policy.ASK, "big", 1),
        (Policy.RUN, "small", 1),
        (Policy.RUN, "", 1),
    ]
    assert policies.terms(project.pk, "big", 1) == Terms(people=2, role=Role.ADMIN)


def test_terms_and_reasons_stay_those_of_the_version_that_ruled(project, admin):
    save(project, ASK_BIG, admin)
    reason = {"rules": [{**REFUSE_PAY["rules"][0], "reason": "Money is short."}], "terms": {"not_own": True}}
    save(project, reason, admin, expected=1)
    assert policies.terms(project.pk, "big", 1).people == 2
    assert policies.terms(project.pk, "no pay", 2) == Terms(not_own=True)
    assert policies.refusal(project.pk, "no pay", 2) == "Money is short."
    save(project, REFUSE_PAY, admin, expected=2)
    assert policies.refusal(project.pk, "no pay", 3) == "The policy “no pay” refuses this call."
    assert policies.refusal(project.pk, "", None) == "A policy refuses this tool."


def test_hours_are_by_the_databases_clock(project):
    assert abs(policies.now() - deadlines.moment(0)) < timedelta(minutes=1)
    assert policies.now().utcoffset() is not None


@pytest.fixture
def calls(worker) -> list[ToolExecution]:
    """What was called while each tool had its own policy: two asked, one ran."""
    return [call(worker, cents=5000), call(worker, cents=5), call(worker, "mail", policy=Policy.RUN)]


def changed(project: Project, given: Any) -> dict[str, tuple[str, str, str]]:
    """By call: what was done, what would have been, and the rule."""
    return {
        str(one.call.pk): (one.was.policy.value, one.ruling.policy.value, one.ruling.rule)
        for one in policies.tried(project.pk, given, USUAL).changes
    }


def test_a_dry_run_shows_exactly_what_would_change(project, calls):
    big, small, mail = (str(one.pk) for one in calls)
    trial = policies.tried(project.pk, REFUSE_PAY, USUAL)
    assert trial.looked_at == 3
    assert changed(project, REFUSE_PAY) == {
        big: ("ask", "refuse", "no pay"),
        small: ("ask", "refuse", "no pay"),
    }
    assert changed(project, ASK_BIG) == {big: ("ask", "ask", "big"), small: ("ask", "run", "small")}
    assert changed(project, {}) == {}
    assert changed(project, {"rules": [{"name": "all", "policy": "ask", "when": {"tools": ["m*"]}}]}) == {
        mail: ("run", "ask", "all")
    }
    assert not PolicyVersion.objects.exists()


def test_a_dry_run_agrees_with_what_the_ledger_then_does(project, admin, worker, calls):
    trial = policies.tried(project.pk, ASK_BIG, USUAL)
    told = {one.call.input_data["cents"]: one.ruling.policy for one in trial.changes}
    save(project, ASK_BIG, admin)
    for cents, policy in told.items():
        assert call(worker, cents=cents).policy == policy
    assert changed(project, ASK_BIG).keys() == {str(one.pk) for one in calls[:2]}  # what it did itself is as it says


def test_a_dry_run_tells_a_stricter_question_from_the_same_one(project, admin, worker):
    save(project, ASK_BIG, admin)
    row = call(worker, cents=5000)
    (change,) = policies.tried(project.pk, {}, USUAL).changes
    assert (change.call.pk, change.was.rule, change.was.terms.people) == (row.pk, "big", 2)
    assert (change.ruling.rule, change.ruling.terms.people) == ("", 1)
    renamed = {"rules": [{**ASK_BIG["rules"][0], "name": "otherwise called"}, ASK_BIG["rules"][1]]}
    assert changed(project, renamed) == {}


def test_a_dry_run_looks_at_cost_level_agent_and_time_of_each_call(project, worker):
    call(worker, cost="2.50", cents=1)
    at = ToolExecution.objects.get().created_at
    inside = {"since": at.strftime("%H:%M"), "until": (at + timedelta(minutes=1)).strftime("%H:%M")}
    outside = {
        "since": (at + timedelta(hours=1)).strftime("%H:%M"),
        "until": (at + timedelta(hours=2)).strftime("%H:%M"),
    }
    for when, holds in [
        ({"cost_at_least": "2.5"}, True),
        ({"cost_at_least": "2.51"}, False),
        ({"levels": ["worker"], "agents": ["bank.*"], "risks": ["medium"]}, True),
        ({"levels": ["queen"]}, False),
        ({"agents": ["shop.*"]}, False),
        ({"hours": inside}, True),
        ({"hours": outside}, False),
    ]:
        given = {"rules": [{"name": "a", "policy": "refuse", "when": when}]}
        assert bool(policies.tried(project.pk, given, USUAL).changes) is holds, when


def test_a_dry_run_looks_at_the_latest_calls_of_the_project_only(project, worker, calls, monkeypatch):
    call(running(make_mission()), cents=1)
    old = calls[0]
    ToolExecution.objects.filter(pk=old.pk).update(created_at=Now() - timedelta(days=31))
    assert policies.tried(project.pk, REFUSE_PAY, USUAL).looked_at == 2
    monkeypatch.setattr(policies, "LOOKED_AT", 1)
    assert [one.call.pk for one in policies.tried(project.pk, {"rules": [
        {"name": "all", "policy": "refuse"}]}, USUAL).changes] == [calls[2].pk]  # fmt: skip


def test_a_policy_that_does_not_fit_cannot_be_tried(project):
    with pytest.raises(InvalidInput):
        policies.tried(project.pk, {"rules": [{"name": ""}]}, USUAL)


def test_facts_of_a_call_are_as_the_guard_gives_them(project, admin, worker):
    save(project, {"rules": [{"name": "dear", "policy": "refuse", "when": {"cost_at_least": "1"}}]}, admin)
    facts = Facts("pay", Risk.LOW, Level.WORKER, "bank.clerk", {}, policies.now(), Decimal("0.99"))
    assert policies.ruled(project.pk, facts, Policy.RUN).policy is Policy.RUN
    assert call(worker, cost="1", cents=1).policy == Policy.REFUSE
