"""The pages on a real server over the tests' own database and Redis, so that a test can make things happen."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from playwright.sync_api import BrowserContext, Page, expect

from agents.roles import Role
from orchestrator.env import BASE_DIR
from tests.agent_types import TRACE
from tests.browser.conftest import PATIENCE
from tests.factories import make_member, make_project
from tests.orchestrator.web.conftest import signed_in
from tests.stack import free_port

START_SECONDS = 120


@pytest.fixture(scope="package")
def trace_file(tmp_path_factory) -> Path:
    """Where tools of the tests' agents leave their traces, in the server and here."""
    return tmp_path_factory.mktemp("trace") / "trace"


@pytest.fixture
def trace(trace_file, monkeypatch) -> Path:
    """The traces of one test."""
    trace_file.write_text("")
    monkeypatch.setenv(TRACE, str(trace_file))
    return trace_file


@pytest.fixture(scope="package")
def address(django_db_setup, django_db_blocker, trace_file) -> Iterator[str]:
    """A web server's address. It has the test's database by name and its Redis."""
    call_command("collectstatic", verbosity=0, interactive=False)
    port = free_port()
    given = connection.settings_dict
    database = f"postgresql://postgres@localhost/{given['NAME']}?host={quote(str(given['HOST']), safe='')}"
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "daphne", "--verbosity", "0", "-b", "127.0.0.1", "-p", str(port)),
            "tests.browser.pages.asgi:application",
        ],
        cwd=BASE_DIR,
        env=os.environ | {"DATABASE_URL": database, "PORT": str(port), TRACE: str(trace_file)},
    )
    try:
        _wait(f"http://127.0.0.1:{port}/healthz", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert server.poll() is None and time.monotonic() < end, "the web server does not start"
            time.sleep(0.1)


@pytest.fixture
def site(transactional_db, address, browser, redis_client, monkeypatch) -> Iterator[SimpleNamespace]:
    """A project with an approver who opens pages, signed in. Script errors and CSP reports fail the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright runs a loop in this thread
    project = make_project()
    user = make_member(project, Role.APPROVER, "mara")
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(path: str = "/", *, who=user, width: int = 1440, **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, base_url=address, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        cookie = signed_in(who).cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": address}])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda told: faults.append(told.text) if re.search("Content Security", told.text) else None)
        page.goto(path)
        if options.get("java_script_enabled", True) and page.locator("#main[data-feed]").count():
            expect(page.locator("#link b")).to_have_text("Live")  # the script is there: keys work
        return page

    yield SimpleNamespace(project=project, user=user, open=open_page, address=address)
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(scope="package")
def axe() -> str:
    """The source of axe."""
    return Path(BASE_DIR, "node_modules/axe-core/axe.min.js").read_text()
