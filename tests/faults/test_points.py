"""A worker dies right before each of its commits and effects, and another one finishes: once, and whole."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from orchestrator.env import BASE_DIR
from tests.factories import make_project, make_user
from tests.faults.agents import ASKED, PAUSE, WORLD
from tests.faults.thinkers import MODEL
from tests.model_server import ModelServer, Received, Turn

WALKER = """
import json, sys
import django; django.setup()
from tests.faults import points
walks = json.loads(sys.argv[1])
points.prepare(walks[0][0])
sys.exit(sum(points.walk(*walk) for walk in walks) > 0)
"""
IS_LONG = os.environ.get("QUEENRIGHT_TEST_POINTS") == "all levels"
SIDES = ("before", "after") if IS_LONG else ("before",)  # after a commit is before the next one, for all that lasts
Walk = tuple[str, str, int, int, int]
"""The play, the side, the first commit, the step to the next, how many: see `points.walk`."""

# The play, and the fewest commits and effects of such a mission: with fewer not all are counted.
DELEGATION, FEWEST = ("all-levels", 80) if IS_LONG else ("one-level", 60)
EACH_REPLY = [[(play, side, 1, 1, 0)] for play in ("requests", "batch") for side in ("before", "after")]
SOME_REPLIES: list[list[Walk]] = [
    [
        ("requests", "before", 1, 1, 4),  # what the reply costs, the reply, the answer, and that who answered rests on
        ("requests", "before", 10, 5, 2),  # the asker's state with the answer, and that who is asked next is woken
        ("batch", "before", 2, 2, 3),  # the reply for several tasks, the cost of a second call, the state with both
    ]
]


class NotedModel(ModelServer):
    """Notes in the world what it is asked, and leaves the last task of several out, which is then asked alone."""

    def __init__(self, world: Path) -> None:
        super().__init__()
        self._asked = world / ASKED

    def next_turn(self, received: Received) -> Turn:
        questions = " ".join(re.findall(r"Is (\S+) well\?", received.text))
        with self._asked.open("a") as file:
            file.write(f"{received.purpose} {questions}\n")
        if received.purpose != "extractall":
            return super().next_turn(received)
        return Turn(says=lambda thought: json.dumps({"tasks": thought["tasks"][:-1]}))


def killed(tmp_path: Path, walks: list[Walk]) -> int:
    """In how many missions a worker was killed. None of them went wrong."""
    make_project(make_user())
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    with NotedModel(tmp_path / "world") as model:
        done = subprocess.run(
            [sys.executable, "-c", WALKER, json.dumps(walks)],
            cwd=BASE_DIR,
            env=os.environ
            | {
                "DATABASE_URL": url.geturl(),
                "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
                "QUEENRIGHT_AGENT_MODULES": "tests.faults.thinkers",
                WORLD: str(tmp_path / "world"),
                PAUSE: "0",
                "QUEENRIGHT_POOL_SIZE": "10",  # as in a worker: the saver then writes on connections of the pool
                "QUEENRIGHT_EMBEDDER_THREADS": "1",  # a fork has no others
                "QUEENRIGHT_MODEL": MODEL,
                "QUEENRIGHT_MODEL_BASE_URL": model.base_url,
                "QUEENRIGHT_MODEL_TEMPERATURE": "0",  # so that replies are kept
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return len(re.findall(r"commit \d+: -9, then 0", done.stdout))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("side", "first"),
    [
        pytest.param(side, first, marks=pytest.mark.xdist_group(f"points {side} {first}"))
        for side in SIDES
        for first in (1, 2)
    ],
)
def test_a_worker_may_die_at_any_commit(redis_client, tmp_path, side, first):
    assert killed(tmp_path, [(DELEGATION, side, first, 2, 0)]) > FEWEST / 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "walks",
    [
        pytest.param(walks, marks=pytest.mark.xdist_group(f"points of replies {number}"))
        for number, walks in enumerate(EACH_REPLY if IS_LONG else SOME_REPLIES)
    ],
)
def test_a_reply_reaches_once_whom_it_is_for_whenever_a_worker_dies(redis_client, tmp_path, walks):
    assert killed(tmp_path, walks) >= (sum(walk[-1] for walk in walks) or 50)
