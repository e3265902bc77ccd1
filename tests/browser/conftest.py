"""The whole stack as a person starts it, and browsers that are signed in to it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.chromium import ARGUMENTS, CHROMIUM, REQUIRED
from tests.stack import Stack, running_stack

PATIENCE = 400_000  # milliseconds, on a machine that has much else to do
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The stories share a stack, the pages a server. Without Chromium all are skipped, but not in CI."""
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("pages" if "/pages/" in item.nodeid else "story"))
            if not CHROMIUM and not REQUIRED:
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed"))


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """Everything, on an empty data folder."""
    with running_stack() as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. Ends with the package: while it runs, its thread has a loop, and Django refuses to query there."""
    assert CHROMIUM, "Chromium is required here and is not installed"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def sign_in(stack: Stack, browser: Browser):
    """Makes signed-in pages, each with cookies of its own; fails the test on script errors and CSP reports."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def make(name: str = "", password: str = "") -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=stack.url)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda told: faults.append(told.text) if "Content Security" in told.text else None)
        page.goto("/login/")
        page.fill("input[name=username]", name or stack.name)
        page.fill("input[name=password]", password or stack.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        return page

    yield make
    for context in contexts:
        context.close()
    assert faults == []
