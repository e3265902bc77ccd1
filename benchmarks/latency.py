"""From the commit of a change to its sight in a browser, against the plain round trip of the same fragment."""

import os
import statistics
import time
from typing import Any

from django.db import transaction
from playwright.sync_api import Page, sync_playwright

from agents.actor import SYSTEM
from agents.ids import new_id
from agents.models import AgentSession, Project, User
from agents.roles import Level
from agents.services import messages, sessions
from agents.services.sessions import Start
from benchmarks import tables
from tests.browser.chromium import ARGUMENTS, CHROMIUM
from tests.stack import Stack

CHANGES = 40
PATIENCE = 30.0  # seconds
PAUSE = 0.3  # seconds between changes: each is seen on its own

# Keeps the time at which each numbered change first stands on the page.
WATCH = """() => {
  window.seen = {};
  new MutationObserver(() => {
    for (const [, number] of document.body.innerText.matchAll(/change (\\d+) of/g)) window.seen[number] ??= Date.now();
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def run(stack: Stack, project: Project, user: User) -> dict[str, list[float]]:
    """Milliseconds of each change, and of each plain GET of the page's live fragments, in turn."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs a loop in this thread
    start = Start("bench.worker", Level.WORKER, "latency", "", {})
    mission = sessions.start_mission(project, start, user=user, actor=SYSTEM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(f"{stack.url}/login/")
        page.fill("input[name=username]", stack.name)
        page.fill("input[name=password]", stack.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        page.goto(f"{stack.url}/missions/{mission.pk}/")
        page.wait_for_selector("[data-link=live]")
        page.evaluate(WATCH)
        taken = [_one(page, mission, number) for number in range(CHANGES)]
        browser.close()
    return {"commit to sight": [seen for seen, _ in taken], "plain GET": [plain for _, plain in taken]}


def _one(page: Page, mission: AgentSession, number: int) -> tuple[float, float]:
    time.sleep(PAUSE)
    with transaction.atomic():
        messages.say(sessions.lock(mission.pk), new_id(), f"change {number} of {CHANGES}")
    committed = time.time()
    seen = _seen(page, number)
    began = time.time()
    page.evaluate("fetch(`${location.pathname}?r=agents&r=feed`).then(answer => answer.text())")
    return seen - committed * 1000, (time.time() - began) * 1000


def _seen(page: Page, number: int) -> float:
    """When the change stood on the page. Asked from outside: the page's policy forbids code that waits inside."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        at: Any = page.evaluate(f"window.seen[{number}] ?? null")
        if at is not None:
            return float(at)
        time.sleep(0.005)
    raise RuntimeError(f"change {number} was not seen within {PATIENCE} s")


def table(results: dict[str, list[float]]) -> str:
    """Median and 95th percentile, and the ratio to the plain GET."""
    plain = statistics.median(results["plain GET"])
    rows = [
        (
            what,
            f"{statistics.median(taken):.0f} ms",
            f"{statistics.quantiles(taken, n=20)[-1]:.0f} ms",
            f"{statistics.median(taken) / plain:.2f}",
        )
        for what, taken in results.items()
    ]
    return tables.table(f"A change on the mission page, {CHANGES} changes", ("", "median", "p95", "ratio"), rows)
