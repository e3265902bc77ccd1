"""The story: a mission from its objective to its report, through approval, edit, rejection, kills and a restart."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.stack import Stack

OBJECTIVE = "What happens when a process dies, and how are approvals decided exactly once?"

FEEDING = """# Feeding bees

Honey bees need sugar syrup in autumn, when nothing flowers any more. A colony that has less than fifteen kilograms
of stores in October will starve before spring. Feed two parts of sugar to one part of water.

## When to stop

Stop feeding as soon as the nights are colder than five degrees. Bees cannot dry cold syrup, and it ferments in the
comb. A fermented store gives the colony dysentery.
"""


def start_mission(page: Page, objective: str, *, files: list[FilePayload] | None = None) -> None:
    """Start a research mission on `files`, or on the example folder."""
    page.goto("/")
    page.get_by_role("link", name="New mission").first.click()
    page.get_by_role("textbox", name="Objective").fill(objective)
    if files:
        page.set_input_files("#files", files)
        for file in files:
            expect(page.locator("#sources .files")).to_contain_text(file["name"])
    else:
        page.get_by_role("button", name="Add the example").click()
        expect(page.locator("#sources .files")).to_contain_text("docs/architecture.md")
    page.get_by_role("button", name="Start the mission").click()
    page.wait_for_url(re.compile(r"/missions/[0-9a-f-]{36}/"))


def feeding() -> FilePayload:
    """A short source."""
    return {"name": "feeding.md", "mimeType": "text/markdown", "buffer": FEEDING.encode()}


def open_request(page: Page, objective: str) -> None:
    """Wait until the tab's title counts a wait, then open the request of that mission."""
    expect(page).to_have_title(re.compile(r"^\(\d+\)"))
    page.goto("/approvals/")
    card = page.locator("li.acard", has_text=objective[:30])
    card.get_by_role("link").click()
    expect(page.locator(".chain")).to_contain_text(objective)
    expect(page.locator("#link b")).to_have_text("Live")  # the script is there: keys work


def outbox(stack: Stack) -> dict[str, str]:
    """What was published, by file name."""
    return {path.name: path.read_text() for path in (stack.data / "outbox").rglob("*.md")}


def done(page: Page) -> None:
    """Wait on the mission page, without a reload, until the mission is over."""
    expect(page.locator("h1 + .pill, .page-head .pill").first).to_contain_text("Done")


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
    closed(page)
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


def reject(page: Page, reason: str) -> None:
    """Reject the open request."""
    page.keyboard.press("r")
    page.locator("#reason").fill(reason)
    page.locator("#reject").get_by_role("button", name="Reject").click()


def closed(page: Page) -> None:
    """Wait until the open request says that it has been decided."""
    expect(page.locator("#decide")).to_contain_text("This request is closed")


def test_a_rejected_agent_says_so_and_what_was_learned_is_found_by_its_meaning(stack: Stack, sign_in):
    page = sign_in()
    objective = "How should bees be fed in autumn?"
    before = outbox(stack)
    start_mission(page, objective, files=[feeding()])
    open_request(page, objective)
    stack.restart()  # nobody holds anything while a person thinks
    page.reload()
    expect(page.locator("#link b")).to_have_text("Live")
    reject(page, "The numbers are not checked")
    closed(page)
    page.get_by_role("link", name="See the agent").click()
    done(page)
    page.get_by_role("tab", name="Result").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("Not published. The numbers are not checked")
    assert outbox(stack) == before
    page.goto("/memory/")
    page.locator("main input[type=search]").fill("insects that run out of food in the cold season")
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_contain_text(re.compile("starve|syrup|stores|nights"))


def test_an_edited_name_is_what_is_published_and_a_bad_one_is_refused_beside_its_field(stack: Stack, sign_in):
    page = sign_in()
    objective = "How much do bees need for winter?"
    before = set(outbox(stack))
    start_mission(page, objective, files=[feeding()])
    mission = page.url
    open_request(page, objective)
    page.fill("#arg-title", "My own title")
    for bad in ("../escape.md", "no-ending"):
        page.fill("#arg-file_name", bad)
        with page.expect_navigation():  # the page before it may show an error of its own
            page.get_by_role("button", name=re.compile("^Approve")).click()
        expect(page.locator("#arg-file_name-error")).to_be_visible()
        expect(page.locator("#arg-title")).to_have_value("My own title")
        assert set(outbox(stack)) == before
    page.fill("#arg-file_name", "winter stores.md")
    expect(page.locator("#decide")).to_contain_text("2 edits")
    page.get_by_role("button", name=re.compile("^Approve")).click()
    closed(page)
    page.goto(mission)
    done(page)
    assert set(outbox(stack)) - before == {"winter stores.md"}
    assert outbox(stack)["winter stores.md"].startswith("# My own title")


def test_of_two_people_one_decides_and_the_other_reads_who(stack: Stack, sign_in):
    first, second = sign_in(), sign_in()
    objective = "What does fermented syrup do?"
    start_mission(first, objective, files=[feeding()])
    open_request(first, objective)
    request = first.url
    second.goto(request)
    expect(second.locator("#link b")).to_have_text("Live")
    second.locator("#decide").evaluate("bar => bar.removeAttribute('data-live')")  # has not heard of it yet
    second.fill("#arg-file_name", "mine.md")
    before = set(outbox(stack))
    first.keyboard.press("a")
    closed(first)
    with second.expect_response(lambda answer: answer.request.method == "POST") as answered:
        second.get_by_role("button", name=re.compile("^Approve")).click()
    assert answered.value.status == 409
    expect(second.locator(".conflict")).to_contain_text(f"Approved by {stack.name}")
    expect(second.locator("#arg-file_name")).to_have_value("mine.md")
    first.get_by_role("link", name="See the agent").click()
    done(first)
    made = set(outbox(stack)) - before
    assert len(made) == 1
    assert "mine.md" not in made


def test_a_model_that_is_not_known_is_named_beside_its_field(sign_in):
    page = sign_in()
    page.goto("/missions/new/")
    page.get_by_role("textbox", name="Objective").fill("What do bees eat?")
    page.set_input_files("#files", [feeding()])
    expect(page.locator("#sources .files")).to_contain_text("feeding.md")
    page.fill("#model", "nosuchprovider:model")
    page.get_by_role("button", name="Start the mission").click()
    expect(page.locator("#model-error")).to_contain_text("nosuchprovider")
    expect(page.locator("#sources .files")).to_contain_text("feeding.md")
    expect(page.get_by_role("textbox", name="Objective")).to_have_value("What do bees eat?")


@pytest.mark.parametrize("kind", ["binary", "huge", "empty"])
def test_a_file_that_cannot_be_read_is_refused_by_name_and_nothing_is_lost(sign_in, tmp_path: Path, kind: str):
    page = sign_in()
    page.goto("/missions/new/")
    page.get_by_role("textbox", name="Objective").fill("Keep me")
    page.set_input_files("#files", [feeding()])
    expect(page.locator("#sources [data-s=ok]")).to_contain_text("feeding.md")
    bad = tmp_path / f"{kind}.txt"
    bad.write_bytes({"binary": bytes(range(256)) * 40, "huge": b"words and words\n" * 2_000_000, "empty": b""}[kind])
    page.set_input_files("#files", str(bad))
    expect(page.locator("#sources [data-s=failed]")).to_contain_text(f"{kind}.txt")
    expect(page.locator("#sources [data-s=ok]")).to_contain_text("feeding.md")
    expect(page.get_by_role("textbox", name="Objective")).to_have_value("Keep me")
