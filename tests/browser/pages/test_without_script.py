"""Pages work without script, only not live."""

import pytest
from playwright.sync_api import expect

from agents.models import AgentSession, Approval
from tests.factories import make_mission
from tests.orchestrator.web.situations import ask


@pytest.fixture
def plain(site):
    """Opens pages in a browser without script."""
    return lambda path: site.open(path, java_script_enabled=False)


def test_a_mission_is_started(plain):
    page = plain("/missions/new/")
    page.get_by_role("textbox", name="Objective").fill("How fast?")
    good = {"name": "a.md", "mimeType": "text/markdown", "buffer": b"# Some words\n\nAbout something.\n"}
    bad = {"name": "b.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"}
    page.set_input_files("#files", [good, bad])
    page.get_by_role("button", name="Start the mission").click()
    expect(page.locator(".files [data-s=failed]")).to_contain_text("b.exe")
    expect(page.get_by_role("textbox", name="Objective")).to_have_value("How fast?")
    page.get_by_role("button", name="Start the mission").click()
    expect(page.locator("h1")).to_have_text("How fast?")
    assert AgentSession.objects.get().goal == "How fast?"


def test_a_request_is_edited_and_approved(site, plain):
    ask(make_mission(site.project, site.user))
    page = plain("/approvals/")
    page.fill("#arg-file_name", "other.md")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#decide")).to_contain_text("closed")
    assert Approval.objects.get().effective["file_name"] == "other.md"


def test_a_request_is_rejected_with_a_reason(site, plain):
    ask(make_mission(site.project, site.user))
    page = plain("/approvals/")
    page.get_by_role("button", name="Reject…").click()
    page.fill("#reason", "Not yet.")
    page.get_by_role("button", name="Reject", exact=True).click()
    assert Approval.objects.get().reason == "Not yet."


def test_tabs_and_agents_are_links(site, plain):
    mission = make_mission(site.project, site.user)
    page = plain(f"/missions/{mission.pk}/")
    page.locator("#tab-tools").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("No tool was used yet")
    page.locator(f"#agent-{mission.pk} a").click()
    expect(page.locator("#inspector-h")).to_have_text(mission.name)
    expect(page.locator("#link b")).to_have_text("Not live")


def test_the_theme_has_a_button(plain):
    page = plain("/")
    page.locator("summary.who").click()
    page.locator(".rail-foot").get_by_text("Dark").click()
    page.locator(".rail-foot").get_by_role("button", name="Apply").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
