"""A worker is killed between a person's decision and the end of the call that was approved, in a graph of LangChain's.

Another one goes on: the tool has its effect exactly once, with what the person made of the arguments, and nobody is
asked again but for what nobody can know: whether a call has happened that was under way.
"""

import json
import os
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from django.db import connection

from orchestrator.env import BASE_DIR
from tests.agent_types import TRACE
from tests.factories import make_project, make_user

WALKER = """
import json, sys
import django; django.setup()
from tests.faults import clerks
walks = json.loads(sys.argv[1])
clerks.prepare(walks[0][0])
sys.exit(sum(clerks.walk(*walk) for walk in walks) > 0)
"""
IS_LONG = os.environ.get("QUEENRIGHT_TEST_POINTS") == "all levels"
# The kind of clerk, the side, how many commits: with so many the result of the call has just been saved.
ALL = [(kind, side, 0) for kind in ("batched_clerk", "per_call_clerk") for side in ("before", "after")]
WALKS = ALL if IS_LONG else [("per_call_clerk", "before", 6), ("batched_clerk", "after", 8)]
MOMENTS = {"nothing, not posted", "pending, not posted", "running, not posted", "running, posted", "completed, posted"}


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_between_a_decision_and_its_execution_does_once_what_was_approved(redis_client, tmp_path):
    make_project(make_user())
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    done = subprocess.run(
        [sys.executable, "-c", WALKER, json.dumps(WALKS)],
        cwd=BASE_DIR,
        env=os.environ
        | {
            "DATABASE_URL": url.geturl(),
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
            "QUEENRIGHT_GRAPHS": str(BASE_DIR / "tests" / "graphs" / "post" / "langgraph.json"),
            "QUEENRIGHT_POOL_SIZE": "10",  # as in a worker: the saver then writes on connections of the pool
            TRACE: str(tmp_path / "letters"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    killed = re.findall(r"commit \d+, (.+): -9, then 0", done.stdout)
    assert set(killed) == MOMENTS, done.stdout
