"""What the documents claim is so."""

import re

import pytest

from agents import lifecycle
from agents.roles import Level
from agents.services.communications import MAY_TELL, Direction
from orchestrator.env import BASE_DIR

DOCS = BASE_DIR / "docs"
TABLES = {
    "Session": lifecycle.SESSION_TRANSITIONS,
    "Run": lifecycle.RUN_TRANSITIONS,
    "Approval": lifecycle.APPROVAL_TRANSITIONS,
    "Tool call": lifecycle.EXECUTION_TRANSITIONS,
    "Rewind": lifecycle.REWIND_TRANSITIONS,
    "Dead letter": lifecycle.LETTER_TRANSITIONS,
}


@pytest.mark.parametrize("title", TABLES)
def test_the_lifecycle_page_shows_the_tables(title):
    page = (DOCS / "lifecycle.md").read_text()
    section = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
    shown = {
        status: set(targets.replace(" ", "").split(",")) - {""}
        for status, targets in re.findall(r"^\| (\w+) \| ?(.*?) ?\|$", section, re.MULTILINE)
        if status != "status"
    }
    assert shown == {str(status): set(map(str, targets)) for status, targets in TABLES[title].items()}


def test_the_coordination_page_shows_who_may_say_what_to_whom():
    page = (DOCS / "coordination.md").read_text()
    rows = {
        level: [set(filter(None, cell.strip().split(", "))) for cell in cells.split("|")]
        for level, cells in re.findall(r"^\| (queen|architect|specialist|worker) \|(.*)\|$", page, re.MULTILINE)
    }
    for level in Level:
        for direction, shown in zip((Direction.UP, Direction.PEERS, Direction.DOWN), rows[level], strict=True):
            allowed = {kind.replace("_", " ") for kind, where in MAY_TELL[level].items() if direction in where}
            assert shown == allowed, (level, direction)


def test_links_between_documents_lead_somewhere():
    pages = [BASE_DIR / "README.md", *DOCS.rglob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not link.startswith("http")
    ]
    assert links
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_no_example_is_still_to_be_filled_in():
    told = [
        f"{page.name}: {line}"
        for page in (BASE_DIR / "README.md", *DOCS.rglob("*.md"))
        for line in page.read_text().splitlines()
        if re.fullmatch(r"[A-Z]{3,}([-_ ][A-Z]{3,})+", line.strip())
    ]
    assert told == []
