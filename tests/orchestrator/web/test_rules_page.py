"""Approval rules in the browser: made by who decides, tried before, revoked by their owner or an admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from agents.errors import Forbidden, NotFound
from agents.lifecycle import ApprovalStatus, Risk, RuleVerdict
from agents.models import Approval, ApprovalRule, AuditEntry
from agents.roles import Role
from agents.services import decisions, rules
from agents.services.conclusions import Decision
from agents.services.rules import Rule
from orchestrator.actions import rules as actions
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.policy_forms import fields
from tests.orchestrator.web.situations import REPORT, ask

HOSTILE = "<script>alert(1)</script>"
NEW = "/rules/new/"


@pytest.fixture
def request_(project, approver) -> Approval:
    return ask(make_mission(project, approver))


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def press(client, response, do: str, **changes: Any):
    """Press a button of the form as it stands, after some typing."""
    return client.post(NEW, {**fields(response, "rule"), **changes, "do": do})


def make(project, by, **changes: Any) -> ApprovalRule:
    known = {"tool_name": "publish_report", "verdict": RuleVerdict.APPROVE, "name": "Always", "conditions": {}}
    return rules.make(project.pk, Rule(**{**known, **changes}), by=by)


def test_a_rule_is_made_from_a_request_with_what_was_picked(page, project, approver, request_):
    opened = page.get(f"{NEW}?from={request_.pk}")
    shown = text(opened)
    assert "file_name" in shown and "report.md" in shown
    sent = fields(opened, "rule")
    assert (sent["tool"], sent["verdict"], sent["name"]) == (["publish_report"], ["approve"], ["Always publish_report"])
    assert "picked" not in sent
    assert press(page, opened, "make", picked=["file_name"]).status_code == 302
    made = ApprovalRule.objects.get()
    assert (made.owner, made.made_from_id, made.tool_name) == (approver, request_.pk, "publish_report")
    assert made.conditions == {"arguments": [{"at": "file_name", "comparison": "equals", "value": "report.md"}]}
    assert made.expires_at is not None
    assert AuditEntry.objects.get(action="rule.make").target_id == made.pk
    assert "Approve when publish_report\u2019s file_name is “report.md”" in text(page.get(reverse("rules")))
    mission = make_mission(project, approver)
    assert ask(mission).status == ApprovalStatus.APPROVED
    assert ask(mission, proposed={**REPORT, "file_name": "b.md"}).status == ApprovalStatus.PENDING


def test_nested_arguments_can_be_picked_and_lists_and_long_texts_are_left_out(page, project, approver):
    proposed = {
        "to": {"name": "Ada", "tags": ["a"], "at": {"deep": {"deeper": 1}}},
        "text": "x" * 300,
        "a.b": 1,
        "n": None,
    }
    asked = ask(make_mission(project, approver), proposed=proposed)
    opened = page.get(f"{NEW}?from={asked.pk}")
    shown = text(opened)
    for at, is_there in (("to.name", True), ("n", True), ("to.tags", False), ("text", False), ("a.b", False)):
        assert (f'value="{at}"' in shown) is is_there, at
    assert press(page, opened, "make", picked=["to.name", "n", "text", "magic"]).status_code == 302
    assert {one["at"] for one in ApprovalRule.objects.get().conditions["arguments"]} == {"to.name", "n"}


def decided(project, by, verdict: str = "approve", **more: Any) -> Approval:
    asked = ask(make_mission(project, by), **more)
    return decisions.decide(asked.pk, Decision(verdict, reason="No."), by=by, version=1)


def test_a_dry_run_is_shown_before_a_rule_is_made(page, project, approver):
    decided(project, approver)
    other = decided(project, approver, "reject")
    opened = page.get(NEW)
    tried = press(page, opened, "try", tool="publish_report", name="kept")
    shown = text(tried)
    assert "<b>2</b> of the 2 requests" in shown
    assert reverse("approval", args=[other.pk]) in shown
    assert fields(tried, "rule")["name"] == ["kept"]
    assert not ApprovalRule.objects.exists()
    assert "nothing to try it on" in text(press(page, opened, "try", tool="other"))


@pytest.mark.parametrize(
    ("typed", "place", "words"),
    [
        ({"tool": " "}, "tool", "Name the tool"),
        ({"name": ""}, "name", "Give it a name"),
        ({"verdict": "maybe"}, "verdict", "approves or rejects"),
        ({"verdict": "reject", "reason": ""}, "reason", "Say why"),
        ({"lasts": "soon"}, "lasts", "with its unit"),
        ({"lasts": "2 s"}, "lasts", "for a minute at least"),
        ({"lasts": "53 weeks"}, "lasts", "a year at most"),
        ({"conditions.hours.zone": "Mars"}, "conditions-hours-zone", "no time zone"),
        ({"conditions.levels": "boss"}, "conditions-levels", ""),
        ({"conditions.arguments.0.at": "a", "conditions.arguments.0.comparison": "at_most",
          "conditions.arguments.0.value": "x"}, "conditions-arguments-0", "needs a number"),
        ({"tool": "a\0"}, "tool", "Name the tool"),
        ({"name": "a\0"}, "name", "Give it a name"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_said_beside_its_field_and_stays_typed(page, project, typed, place, words):
    sent = {"project": str(project.pk), "tool": "pay", "name": "small", "verdict": "approve", "do": "make", **typed}
    answer = page.post(NEW, sent)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert f'id="{place}-error"' in shown
    assert words in shown
    if "name" not in typed:
        assert fields(answer, "rule")["name"] == ["small"]
    assert not ApprovalRule.objects.exists()


def test_conditions_are_added_and_removed_without_losing_what_was_typed(page):
    added = press(page, page.get(NEW), "add:conditions.arguments", name="kept")
    again = press(page, added, "add:conditions.arguments", **{"conditions.arguments.0.at": "cents"})
    assert fields(again, "rule")["conditions.arguments.0.at"] == ["cents"]
    gone = press(page, again, "drop:conditions.arguments.1")
    sent = fields(gone, "rule")
    assert (sent["name"], "conditions.arguments.1.at" in sent) == (["kept"], False)


def test_high_risk_is_for_admins_and_ends(page, project, approver):
    ask(make_mission(project, approver), risk=Risk.HIGH)
    sent = {"project": str(project.pk), "tool": "publish_report", "name": "risky", "verdict": "approve", "do": "make"}
    refused = page.post(NEW, sent)
    assert refused.status_code == 403
    assert "Only an admin" in refused.content.decode()
    assert fields(refused, "rule")["name"] == ["risky"]
    admin = signed_in(make_member(project, Role.ADMIN))
    assert 'id="lasts-error"' in admin.post(NEW, sent).content.decode()
    assert admin.post(NEW, {**sent, "lasts": "7 days"}).status_code == 302


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_who_does_not_decide_looks_and_makes_nothing(project, approver, role):
    made = make(project, approver)
    client = signed_in(make_member(project, role))
    for path in (reverse("rules"), reverse("rule", args=[made.pk])):
        shown = text(client.get(path))
        assert "Always" in shown
        assert "Revoke" not in shown and "New rule" not in shown
    assert client.get(NEW).status_code == 403
    assert client.post(NEW, {"project": str(project.pk), "do": "make"}).status_code == 403
    assert client.post(reverse("revoke_rule", args=[made.pk])).status_code == 403
    made.refresh_from_db()
    assert made.revoked_at is None


def test_strangers_are_told_that_there_is_no_such_rule(stranger_page, project, approver, request_):
    made = make(project, approver)
    assert stranger_page.get(reverse("rule", args=[made.pk])).status_code == 404
    assert stranger_page.post(reverse("revoke_rule", args=[made.pk])).status_code == 404
    assert stranger_page.get(f"{NEW}?from={request_.pk}").status_code == 404
    assert stranger_page.post(NEW, {"project": str(project.pk), "do": "make"}).status_code == 404
    assert "Always" not in text(stranger_page.get(reverse("rules")))


@pytest.mark.parametrize("given", ["no-id", "00000000-0000-0000-0000-000000000000"])
def test_a_request_that_is_not_there_is_not_found(page, given):
    assert page.get(f"{NEW}?from={given}").status_code == 404


def test_a_rule_is_not_made_from_a_request_of_another_project(approver, project, request_):
    other = make_project(approver)
    known = {"tool": "pay", "verdict": "approve", "name": "a", "conditions": {}}
    with pytest.raises(NotFound):
        actions.make(approver, other.pk, **known, made_from=request_.pk)


def test_an_owner_revokes_and_an_admin_revokes_any(page, project, approver):
    own, others = make(project, approver), make(project, make_member(project, Role.APPROVER), name="Theirs")
    shown = text(page.get(reverse("rules")))
    assert shown.count(">Revoke<") == 1
    assert page.post(reverse("revoke_rule", args=[others.pk])).status_code == 403
    assert page.post(reverse("revoke_rule", args=[own.pk])).status_code == 302
    assert ask(make_mission(project)).rule_id == others.pk
    admin = signed_in(make_member(project, Role.ADMIN))
    assert admin.post(reverse("revoke_rule", args=[others.pk])).status_code == 302
    assert ask(make_mission(project)).status == ApprovalStatus.PENDING
    shown = text(page.get(reverse("rules")))
    assert "No rule decides anything" in shown
    assert "Revoked and expired" in shown and "Theirs" in shown


def test_a_second_press_of_revoke_says_that_it_is_done(page, project, approver):
    made = make(project, approver)
    page.post(reverse("revoke_rule", args=[made.pk]))
    again = page.post(reverse("revoke_rule", args=[made.pk]))
    assert again.status_code == 409
    assert "revoked already" in again.content.decode()


def test_looking_revokes_nothing(page, project, approver):
    assert page.get(reverse("revoke_rule", args=[make(project, approver).pk])).status_code == 405


def test_a_rules_page_shows_what_it_decided_and_would_have(page, project, approver):
    by_hand = decided(project, approver, "reject")
    made = make(project, approver, seconds=3600)
    hit = ask(make_mission(project, approver))
    shown = text(page.get(reverse("rule", args=[made.pk])))
    assert reverse("approval", args=[hit.pk]) in shown
    assert reverse("approval", args=[by_hand.pk]) in shown
    assert "<b>1</b> otherwise" in shown
    assert "In force" in shown
    part = text(page.get(reverse("rule", args=[made.pk]) + "?r=decided"))
    assert reverse("approval", args=[hit.pk]) in part


def test_what_people_wrote_is_escaped(page, project, approver):
    tool = "a<script>alert(1)</script>"
    conditions = {"arguments": [{"at": HOSTILE, "comparison": "equals", "value": HOSTILE}]}
    made = make(project, approver, name=HOSTILE, tool_name=tool, reason=HOSTILE, conditions=conditions)
    asked = ask(make_mission(project, approver), proposed={HOSTILE: HOSTILE})
    for path in (reverse("rules"), reverse("rule", args=[made.pk]), f"{NEW}?from={asked.pk}"):
        shown = text(page.get(path))
        assert "alert(1)" in shown
        assert "<script>alert" not in shown


def test_the_door_asks_for_the_role_whoever_comes(project):
    known: dict[str, Any] = {"tool": "pay", "verdict": "approve", "conditions": {}}
    operator, stranger = make_member(project, Role.OPERATOR), make_member(make_project())
    for who, error in ((operator, Forbidden), (stranger, NotFound)):
        with pytest.raises(error):
            actions.make(who, project.pk, **known, name="a")
        with pytest.raises(error):
            actions.tried(who, project.pk, **known)
    with pytest.raises(NotFound):
        actions.tried_again(stranger, make(project, make_member(project)).pk)


def test_hits_are_brought_up_to_date_on_the_open_page(page, project, approver):
    made = make(project, approver)
    for number in range(2):
        part = text(page.get(reverse("rules") + "?r=rules"))
        assert f'data-l="Hits">{number}<' in part
        ask(make_mission(project, approver))
    page.post(reverse("revoke_rule", args=[made.pk]))
    assert "No rule decides anything" in text(page.get(reverse("rules") + "?r=rules"))


def test_an_expired_rule_is_listed_among_those_that_are_over(page, project, approver):
    made = make(project, approver, seconds=3600)
    ApprovalRule.objects.filter(pk=made.pk).update(
        created_at=Now() - timedelta(hours=2), expires_at=Now() - timedelta(hours=1)
    )
    shown = text(page.get(reverse("rules")))
    assert "No rule decides anything" in shown
    assert "Always" in shown.split("Revoked and expired")[1]
    one = text(page.get(reverse("rule", args=[made.pk])))
    assert "Expired" in one
    assert "Revoke it" not in one
