"""The story: a mission from its objective to its report, through approval, edit, rejection, kills and a restart."""

import re

from playwright.sync_api import Page, expect

from tests.stack import Stack

OBJECTIVE = "What happens when a process dies, and how are approvals decided exactly once?"


def start_mission(page: Page, objective: str) -> None:
    """Start a research mission on the example folder."""
    page.goto("/")
    page.get_by_role("link", name="New mission").first.click()
    page.get_by_role("textbox", name="Objective").fill(objective)
    page.get_by_role("button", name="Add the example").click()
    expect(page.locator("#sources .files")).to_contain_text("docs/architecture.md")
    page.get_by_role("button", name="Start the mission").click()
    page.wait_for_url(re.compile(r"/missions/[0-9a-f-]{36}/"))


def open_request(page: Page, objective: str) -> None:
    """Wait until the tab's title counts a wait, then open the request of that mission."""
    expect(page).to_have_title(re.compile(r"^\(\d+\)"))
    page.goto("/approvals/")
    card = page.locator("li.acard", has_text=objective[:30])
    card.get_by_role("link").click()
    expect(page.locator(".chain")).to_contain_text(objective)


def outbox(stack: Stack) -> dict[str, str]:
    """What was published, by file name."""
    return {path.name: path.read_text() for path in (stack.data / "outbox").rglob("*.md")}


def done(page: Page) -> None:
    """Wait on the mission page, without a reload, until the mission is over."""
    expect(page.locator("h1 + .pill, .page-head .pill").first).to_contain_text("Done", timeout=120_000)


def test_a_mission_from_objective_to_report_with_a_kill_on_the_way(stack: Stack, sign_in):
    page = sign_in()
    start_mission(page, OBJECTIVE)
    mission = page.url
    tree = page.get_by_role("tree")
    expect(tree.get_by_role("treeitem").nth(1)).to_be_visible()
    stack.kill("workers")
    for level in ("Queen", "Architect", "Specialist", "Worker"):
        expect(tree.get_by_text(level, exact=True).first).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\(1\)"))
    expect(page.get_by_role("link", name=re.compile("Approvals")).first).to_contain_text("1")
    open_request(page, OBJECTIVE)
    for words in ("Medium risk", "I want to put the report", OBJECTIVE, "Writes one file", "outbox"):
        expect(page.locator("main")).to_contain_text(words)
    page.keyboard.press("a")
    expect(page.locator("#decide")).to_contain_text("closed")
    page.goto(mission)
    done(page)
    page.get_by_role("tab", name="Result").click()
    result = page.get_by_role("tabpanel")
    expect(result).to_contain_text("lease")
    result.get_by_role("link", name="[1]").first.click()
    expect(page.locator(".passage[aria-current] mark").first).to_be_in_viewport()
    (published,) = outbox(stack).values()
    assert "## Sources" in published
    assert re.search(r"\[1\]", published)
