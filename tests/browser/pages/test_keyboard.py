"""Everything by the keyboard: trees, tabs, single keys, dialogs, focus."""

import re

import pytest
from playwright.sync_api import Page, expect

from agents.models import Approval
from agents.roles import Level
from tests.factories import make_mission
from tests.orchestrator.web.situations import ask, delegate, run


@pytest.fixture
def mission(site):
    return make_mission(site.project, site.user)


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.id")


def test_the_tree_is_walked_folded_and_chosen_with_arrow_keys(site, mission):
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    (below,) = delegate(run(one), Level.SPECIALIST, "below")
    page = site.open(f"/missions/{mission.pk}/")
    tree = page.get_by_role("tree").first
    expect(tree.locator("[tabindex='0']")).to_have_count(1)
    tree.locator("[tabindex='0']").focus()
    walk = {
        "End": two, "ArrowUp": below, "ArrowLeft": one, "Home": mission, "ArrowRight": one, "ArrowDown": below,
    }  # fmt: skip
    for key, there in walk.items():
        page.keyboard.press(key)
        assert focused(page) == f"agent-{there.pk}", key
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(f"#agent-{below.pk}")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    assert focused(page) == f"agent-{two.pk}"
    page.keyboard.press("Enter")
    expect(page.locator("#inspector-h")).to_have_text("two")
    expect(page.locator(f"#agent-{two.pk}")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile(f"agent={two.pk}"))
    assert focused(page) == f"agent-{two.pk}"


def test_tabs_are_walked_with_arrow_keys_and_keep_their_address(site, mission):
    page = site.open(f"/missions/{mission.pk}/")
    page.locator("#tab-activity").focus()
    page.keyboard.press("ArrowRight")
    assert focused(page) == "tab-messages"
    page.keyboard.press("Enter")
    expect(page.get_by_role("tabpanel")).to_contain_text("Nobody has said anything yet")
    expect(page).to_have_url(re.compile("tab=messages"))
    page.go_back()
    expect(page.locator("#tab-activity")).to_have_attribute("aria-selected", "true")


def test_j_and_k_move_a_approves_and_focus_goes_to_the_next(site, mission):
    requests = [ask(mission), ask(make_mission(site.project, site.user)), ask(make_mission(site.project, site.user))]
    page = site.open("/approvals/")
    page.keyboard.press("j")
    page.wait_for_url(f"**/approvals/{requests[1].pk}/")
    page.keyboard.press("k")
    page.wait_for_url(f"**/approvals/{requests[0].pk}/")
    page.keyboard.press("a")
    page.wait_for_url(f"**/approvals/{requests[1].pk}/")
    expect(page.locator("#toasts .toast")).to_contain_text("Approved: Publish a report")
    assert focused(page) == "request-h"
    assert Approval.objects.get(pk=requests[0].pk).status == "approved"


def test_e_edits_and_keys_do_nothing_while_one_types(site, mission):
    ask(mission)
    page = site.open("/approvals/")
    page.keyboard.press("e")
    assert focused(page) == "arg-file_name"
    page.keyboard.press("End")
    page.keyboard.type("ajkr?")
    expect(page.locator("#arg-file_name")).to_have_value("report.mdajkr?")
    assert Approval.objects.get().status == "pending"
    expect(page.locator("#reject")).to_be_hidden()
    expect(page.locator("#decide")).to_contain_text("with 1 edit")
    expect(page.locator(".arg.changed")).to_contain_text("proposed report.md")
    page.locator(".arg.changed [data-restore]").click()
    expect(page.locator("#arg-file_name")).to_have_value("report.md")
    expect(page.locator(".arg.changed")).to_have_count(0)


def test_r_asks_for_a_reason_and_escape_takes_it_back(site, mission):
    ask(mission)
    page = site.open("/approvals/")
    page.keyboard.press("r")
    assert focused(page) == "reason"
    page.keyboard.type("a reason")
    page.keyboard.press("Escape")
    expect(page.locator("#reject")).to_be_hidden()
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_have_value("a reason")
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(page.locator("#decide")).to_contain_text("closed")
    assert Approval.objects.get().reason == "a reason"


def test_a_rejection_without_a_reason_comes_back_with_its_fault(site, mission):
    ask(mission)
    page = site.open("/approvals/")
    page.keyboard.press("r")
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    assert Approval.objects.get().status == "pending"


def test_high_risk_is_approved_in_two_steps(site, mission):
    ask(mission, risk="high")
    page = site.open("/approvals/")
    page.keyboard.press("a")
    expect(page.locator("#confirm")).to_contain_text("Writes one file")
    assert Approval.objects.get().status == "pending"
    page.locator("#confirm").get_by_role("button", name="Approve").click()
    expect(page.locator("#decide")).to_contain_text("closed")


def test_the_loser_finds_the_focus_on_what_happened(site, mission):
    approval = ask(mission)
    one, two = site.open(f"/approvals/{approval.pk}/"), site.open(f"/approvals/{approval.pk}/")
    two.evaluate("document.querySelector('#decide').removeAttribute('data-live')")  # has not heard of it yet
    two.fill("#arg-title", "Mine")
    one.keyboard.press("a")
    expect(one.locator("#decide")).to_contain_text("closed")
    two.get_by_role("button", name="Approve").click()
    expect(two.locator(".conflict")).to_be_focused()
    expect(two.locator("#arg-title")).to_have_value("Mine")


def test_the_keys_are_listed_and_can_be_switched_off(site, mission):
    ask(mission)
    page = site.open("/approvals/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("r")
    expect(page.locator("#reject")).to_be_hidden()
    page.keyboard.press("Escape")
    page.locator("summary.who").click()
    page.locator(".rail-foot").get_by_label("Single-key shortcuts").uncheck()
    page.wait_for_selector("html[data-keys=off]")
    page.keyboard.press("r")
    expect(page.locator("#reject")).to_be_hidden()


def test_slash_finds_the_search_from_anywhere(site):
    page = site.open("/")
    page.keyboard.press("/")
    assert focused(page) == "find"
    page.keyboard.type("humid air")
    page.keyboard.press("Enter")
    page.wait_for_url("**/memory/?q=humid+air")


def test_the_skip_link_comes_first_and_leads_to_the_content(site):
    page = site.open("/missions/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    assert focused(page) == "main"


def test_the_theme_changes_with_one_click(site):
    page = site.open("/", color_scheme="light")
    page.locator("summary.who").click()
    page.locator(".rail-foot").get_by_text("Dark").click()
    page.wait_for_selector("html[data-theme=dark]")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 19)"
