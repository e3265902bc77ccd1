"""What the documents claim is so."""

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents import lifecycle
from agents.lifecycle import Policy, Risk
from agents.policies import policy
from agents.policies.conditions import Comparison, Conditions, Facts, Hours
from agents.policies.policy import AtDeadline, Terms
from agents.roles import Level
from agents.services import deliveries
from agents.services.communications import MAY_TELL, Direction
from agents.words import OCCASIONS
from orchestrator.env import BASE_DIR
from orchestrator.notices import calling, messages, sealing, signing
from orchestrator.web import rule_words

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


def documented_policy() -> policy.Document:
    """The example of the page for those who write policies."""
    (example,) = re.findall(r"```json\n(.*?)```", (DOCS / "policies.md").read_text(), re.DOTALL)
    return policy.parse(json.loads(example))


def documented_calls() -> list[list[str]]:
    """The calls below it: tool, cents, level, time of day, what happens, rule."""
    page = (DOCS / "policies.md").read_text().split("## Conditions")[0]
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\w+) \| ([\d:]+) \| (.*?) \| (.*?) ?\|$", page, re.MULTILINE)
    return [list(row) for row in rows]


@pytest.mark.parametrize("call", documented_calls(), ids=" ".join)
def test_the_example_of_a_policy_says_what_its_page_claims(call):
    tool, cents, level, at, what, rule = call
    moment = datetime.combine(date(2026, 11, 20), time.fromisoformat(at), ZoneInfo("Europe/Berlin"))
    facts = Facts(tool, Risk.MEDIUM, Level(level), "bank.clerk", {"cents": int(cents)}, moment)
    for usual in Policy:
        ruling = documented_policy().ruling(facts, usual)
        whom = f" {rule_words.whom(ruling.terms)}" if ruling.policy is Policy.ASK else ""
        said = f"{ruling.policy}{whom}" if ruling.rule else "the tool's own policy"
        assert (said, ruling.rule) == (what, rule)
        assert ruling.rule or ruling.policy is usual


def test_the_page_on_policies_names_all_that_can_be_written():
    page = (DOCS / "policies.md").read_text()
    assert len(documented_calls()) > 4
    fields = [*Conditions.model_fields, *Hours.model_fields, *Terms.model_fields]
    assert [name for name in (*fields, *Comparison, *AtDeadline) if f"`{name}`" not in page] == []


def test_the_receiver_of_the_page_on_notifications_knows_what_is_signed():
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "notifications.md").read_text(), re.DOTALL)
    receiver: dict[str, Any] = {}
    exec(example, receiver)
    new, old = sealing.made(), sealing.made()
    now = datetime.now(UTC)
    headers = signing.headers("msg", now, b"{}", [new, old])
    assert all(receiver["verified"](headers, b"{}", secret) for secret in (new, old))
    assert not receiver["verified"](headers, b"{ }", new)
    assert not receiver["verified"](headers, b"{}", sealing.made())
    assert not receiver["verified"]({**headers, "webhook-id": "other"}, b"{}", new)
    late = signing.headers("msg", now - timedelta(minutes=6), b"{}", [new])
    assert not receiver["verified"](late, b"{}", new)


def test_the_page_on_notifications_names_occasions_and_limits():
    page = (DOCS / "notifications.md").read_text()
    assert re.findall(r"^\| `(\w+)` \| [a-z]", page.split("## Browser")[0], re.MULTILINE) == [*OCCASIONS]
    hours = round(sum(deliveries.PAUSES) / 3600)
    assert f"{['ten', 'eleven'][len(deliveries.PAUSES) - 9]} times in {hours} hours" in page
    assert f"{messages.MOST_BYTES // 1024} KB" in page and calling.SECONDS == 10 and deliveries.KEPT.days == 30
    assert f"after {deliveries.HOLD.seconds} seconds" in page


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
