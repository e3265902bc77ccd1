"""A worker dies right before and right after each of its commits, and another one finishes: once, and whole."""

import os
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from django.db import connection

from orchestrator.env import BASE_DIR
from tests.factories import make_project, make_user
from tests.faults.agents import PAUSE, WORLD

WALKER = """
import sys
import django; django.setup()
from tests.faults import points
side, first, step, *below = sys.argv[1:]
sys.exit(points.walk(side, int(first), int(step), tuple(map(int, below))) > 0)
"""
IS_LONG = os.environ.get("QUEENRIGHT_TEST_POINTS") == "all levels"
# Agents below each, level by level, and the fewest commits of such a mission: with fewer not all are counted.
BELOW, FEWEST = (("1", "1", "2"), 80) if IS_LONG else (("2",), 40)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("side", "first"),
    [
        pytest.param(side, first, marks=pytest.mark.xdist_group(f"points {side} {first}"))
        for side in ("before", "after")
        for first in (1, 2)
    ],
)
def test_a_worker_may_die_at_any_commit(redis_client, tmp_path, side, first):
    make_project(make_user())
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    done = subprocess.run(
        [sys.executable, "-c", WALKER, side, str(first), "2", *BELOW],
        cwd=BASE_DIR,
        env=os.environ
        | {
            "DATABASE_URL": url.geturl(),
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
            "QUEENRIGHT_AGENT_MODULES": "tests.faults.agents",
            WORLD: str(tmp_path / "world"),
            PAUSE: "0",
            "QUEENRIGHT_POOL_SIZE": "10",  # as in a worker: the saver then writes on connections of the pool
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    killed = re.findall(rf"{side} commit \d+: -9, then 0", done.stdout)
    assert len(killed) > FEWEST / 2, done.stdout
