"""The policy and the approval rules in a browser: edited, tried, put in force; with script and without."""

import pytest
from playwright.sync_api import Page, expect

from agents.lifecycle import ApprovalStatus
from agents.models import Approval, ApprovalRule, Membership, PolicyVersion
from agents.roles import Role
from agents.services import policies
from tests.browser.pages.test_looks import _overflow, _too_small, _violations
from tests.factories import make_member, make_mission
from tests.orchestrator.web.situations import ask, run
from tests.orchestrator.web.test_rule_words import WHOLE


@pytest.fixture
def admin_site(site):
    """The person who looks may edit."""
    Membership.objects.filter(user=site.user).update(role=Role.ADMIN)
    return site


def write_rule(page: Page) -> None:
    """A rule that asks two admins about reports, from the empty form."""
    page.get_by_role("button", name="Add a rule").click()
    page.get_by_role("textbox", name="Name").first.fill("Reports")
    page.get_by_role("textbox", name="Tools").fill("publish_*")
    page.get_by_role("button", name="Condition on an argument").click()
    expect(page.get_by_role("textbox", name="Name").first).to_have_value("Reports")
    page.get_by_role("textbox", name="Argument").fill("title")
    page.get_by_role("combobox", name="Comparison").select_option("like")
    page.get_by_role("textbox", name="Value").fill("A *")
    page.get_by_label("terms of their own").check()
    page.locator("#rules-0-terms-people").fill("2")
    page.locator("#rules-0-terms-role").select_option("admin")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_rule_is_written_tried_and_put_in_force(admin_site, script, width):
    approval = ask(run(make_mission(admin_site.project, admin_site.user)))
    page = admin_site.open("/policy/", width=width, java_script_enabled=script)
    page.get_by_role("link", name="Edit the policy").click()
    write_rule(page)
    page.get_by_role("button", name="Try it on past calls").click()
    expect(page.locator("#trial h2")).to_have_text("1 of the latest 1 call would change")
    expect(page.locator("#trial")).to_contain_text("Ask two admins")
    assert not PolicyVersion.objects.exists()
    page.get_by_role("textbox", name="What changes and why").fill("Two of us look at reports.")
    page.locator("#trial").get_by_role("button", name="Put in force").click()
    expect(page.locator("#rules-h")).to_have_text("Rules in force")
    expect(page.locator("main")).to_contain_text("Ask two admins when publish_*\u2019s title is like “A *”.")
    expect(page.locator("main")).to_contain_text("Two of us look at reports.")
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING
    assert ask(run(make_mission(admin_site.project, admin_site.user))).pk


def test_rules_are_moved_and_what_is_pressed_has_the_focus(admin_site):
    page = admin_site.open("/policy/edit/")
    for name in ("first", "second"):
        page.get_by_role("button", name="Add a rule").click()
        page.locator(".rule").last.get_by_role("textbox", name="Name").fill(name)
    expect(page.locator("#rules-1-name")).to_have_value("second")
    page.get_by_role("button", name="Move rule 2 up").click()
    expect(page.locator("#rules-0-name")).to_have_value("second")
    expect(page.locator("#rules-1-name")).to_have_value("first")
    expect(page.locator("#rules-0")).to_be_focused()
    page.get_by_role("button", name="Remove rule 2").click()
    expect(page.locator(".rule")).to_have_count(1)


def test_enter_in_a_field_puts_nothing_in_force(admin_site):
    page = admin_site.open("/policy/edit/")
    page.get_by_role("textbox", name="What changes and why").press("Enter")
    expect(page.locator("#trial h2")).to_have_text("There is nothing to try it on yet")
    assert not PolicyVersion.objects.exists()


def test_terms_show_only_where_people_are_asked(admin_site):
    page = admin_site.open("/policy/edit/")
    page.get_by_role("button", name="Add a rule").click()
    own = page.get_by_label("terms of their own")
    expect(own).to_be_visible()
    expect(page.locator("#rules-0-terms-people")).to_be_hidden()
    own.check()
    expect(page.locator("#rules-0-terms-people")).to_be_visible()
    page.locator(".rule .seg").get_by_text("Refuse").click()
    expect(own).to_be_hidden()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_faults_a_dry_run_and_a_conflict_are_sound_for_everybody(admin_site, axe, width, scheme):
    make_member(admin_site.project, Role.APPROVER, "olga")
    ask(run(make_mission(admin_site.project, admin_site.user)))
    policies.save(admin_site.project.pk, {"terms": {"people": 2}}, expected=None, note="", by=admin_site.user)
    page = admin_site.open("/policy/edit/", width=width, color_scheme=scheme, has_touch=width < 720)
    write_rule(page)
    told = []

    def look(what: str) -> None:
        faults = [*_violations(page, axe, scheme), *_overflow(page), *(_too_small(page) if width < 720 else ())]
        told.extend(f"{what}: {fault}" for fault in faults)

    page.locator("#rules-0-name").fill("")
    page.get_by_role("textbox", name="Deadline after").first.fill("soon")
    page.locator("#save-h ~ .body").get_by_role("button", name="Put in force").click()
    expect(page.locator("#rules-0-name")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#rules-0-terms-deadline")).to_have_value("soon")
    look("faults")
    page.locator("#rules-0-name").fill("Reports")
    page.get_by_role("textbox", name="Deadline after").first.fill("")
    page.get_by_role("button", name="Try it on past calls").click()
    expect(page.locator("#trial")).to_be_focused()
    look("dry run")
    bob = make_member(admin_site.project, Role.ADMIN, "bob")
    policies.save(admin_site.project.pk, {"rules": [WHOLE["rules"][2]]}, expected=1, note="Quick.", by=bob)
    page.locator("#save-h ~ .body").get_by_role("button", name="Put in force").click()
    expect(page.locator("#conflict h2")).to_contain_text("bob put version 2 in force")
    expect(page.locator("#rules-0-name")).to_have_value("Reports")
    look("conflict")
    page.get_by_role("button", name="Put mine in force in its place").click()
    expect(page.locator("#rules-h")).to_have_text("Rules in force")
    assert PolicyVersion.objects.order_by("-number").first().document["rules"][0]["name"] == "Reports"
    assert not told, "\n".join(told)


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_rule_is_made_from_a_request_and_revoked(site, script):
    asked = ask(run(make_mission(site.project, site.user)))
    page = site.open(f"/rules/new/?from={asked.pk}", java_script_enabled=script, width=390)
    page.get_by_label("file_name is “report.md”").check()
    page.get_by_role("button", name="Try it on past requests").click()
    expect(page.locator("#trial")).to_contain_text("nothing to try it on")
    expect(page.get_by_label("file_name is “report.md”")).to_be_checked()
    page.locator("#trial").get_by_role("button", name="Let it decide").click()
    expect(page.locator("#rules")).to_contain_text("file_name is “report.md”")
    decided = ask(run(make_mission(site.project, site.user)))
    assert Approval.objects.get(pk=decided.pk).rule == ApprovalRule.objects.get()
    page.get_by_role("link", name="Always publish_report").click()
    expect(page.locator("#decided")).to_contain_text("Publish a report")
    page.get_by_role("button", name="Revoke it").click()
    expect(page.locator("#rules")).to_contain_text("No rule decides anything")


def test_policy_and_rules_are_reached_from_the_phone(site):
    page = site.open("/", width=390, has_touch=True)
    page.locator(".rail-more summary").first.click()
    page.get_by_role("link", name="Policy").click()
    page.get_by_role("link", name="Approval rules").click()
    expect(page.locator("h1")).to_have_text("Approval rules")
