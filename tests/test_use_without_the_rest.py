"""The page about it is right: its settings and its example run as they are written, in a project of their own."""

import os
import re
import subprocess
import sys

import psycopg
import pytest

from orchestrator.env import BASE_DIR
from tests.conftest import FOLDER

PAGE = (BASE_DIR / "docs" / "use-without-the-rest.md").read_text()
PRINTED = PAGE.split("It prints\n\n```\n")[1].split("```")[0]


def block(name: str) -> str:
    (found,) = re.findall(rf"```python\n(# {re.escape(name)}\n.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture
def run(tmp_path):
    """Runs Python in an empty folder that has the page's files and sees a database named as on the page."""
    sockets = f"{os.environ[FOLDER]}/run"
    with psycopg.connect(host=sockets, user="postgres", dbname="postgres", autocommit=True) as link:
        link.execute("CREATE DATABASE mine")
    for name in ("settings.py", "example.py"):
        (tmp_path / name).write_text(block(name))
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LD_LIBRARY_PATH")}
    environment = kept | {
        "PGHOST": sockets,
        "PGUSER": "postgres",
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTHONPATH": f"{tmp_path}:{BASE_DIR}",
        "PYTHONWARNINGS": "error::DeprecationWarning:agents,error::DeprecationWarning:memory",
    }

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield python
    with psycopg.connect(host=sockets, user="postgres", dbname="postgres", autocommit=True) as link:
        link.execute("DROP DATABASE mine WITH (FORCE)")


def test_the_example_does_what_the_page_says(run):
    run("-m", "django", "migrate", "--verbosity", "0")
    run("-m", "django", "check", "--fail-level", "WARNING")
    assert run("example.py") == PRINTED
    again = run("example.py").splitlines()
    assert again[0].startswith("8 ")  # the thread goes on where it was
