"""Real workers are killed in the middle of a mission: it goes on, and nothing is lost or done twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import weakref
from typing import Any

import pytest

from orchestrator.env import BASE_DIR
from orchestrator.servers.child import die_with_parent
from tests.agent_types import TRACE
from tests.stack import Stack, eventually, running_stack

DRIVER = """
import json, sys
import django; django.setup()
from django.db import close_old_connections
from tests import kill_driver
for line in sys.stdin:
    name, *arguments = json.loads(line)
    close_old_connections()
    print(json.dumps(getattr(kill_driver, name)(*arguments)), flush=True)
"""
EFFECTS = sorted(f"q.{a}.{b}.{c}" for a in range(2) for b in range(2) for c in range(2))
AGENTS = 1 + 2 + 4 + 8


class Mission:
    """A mission of test agents on a stack, seen through a process that has the stack's settings."""

    def __init__(self, stack: Stack, trace, tool: str = "leave_trace", below: tuple[int, ...] = (2, 2, 2)) -> None:
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("QUEENRIGHT_") and name not in {"DATABASE_URL", "REDIS_URL"}
        } | {
            "QUEENRIGHT_DATA": str(stack.data),
            "QUEENRIGHT_AGENT_MODULES": "tests.agent_types",
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
        }
        self.trace = trace
        self._driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            cwd=BASE_DIR,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        weakref.finalize(self, self._driver.communicate)
        self.id = self._call("start", tool, below)

    def _call(self, name: str, *arguments: Any):
        self._driver.stdin.write(f"{json.dumps([name, *arguments])}\n")
        self._driver.stdin.flush()
        answer = self._driver.stdout.readline()
        assert answer, f"{name} broke off: its reason is on the standard error output"
        return json.loads(answer)

    def state(self) -> dict:
        """Status of the root, counts, doubts answered by what really happened."""
        return self._call("look", self.id, str(self.trace))

    def resting(self) -> list[str]:
        """Workers that wait for their next try."""
        return self._call("resting", self.id)

    def tries(self) -> dict[str, int]:
        """Of each worker's tool call."""
        return self._call("tries", self.id)

    def is_probed(self, tool: str) -> bool:
        """Is a probe of the tool's breaker out?"""
        return self._call("is_probed", tool)

    def crashes(self) -> int:
        """How many were counted."""
        return self._call("crashes", self.id)


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    return tmp_path_factory.mktemp("kill") / "trace"


@pytest.fixture(scope="module")
def stack(trace):
    trace.touch()
    with running_stack(
        QUEENRIGHT_AGENT_MODULES="tests.agent_types", QUEENRIGHT_TEST_PAUSE="0.3", **{TRACE: str(trace)}
    ) as stack:
        yield stack


@pytest.mark.xdist_group("kill")
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_workers_lose_and_double_nothing(stack, trace, seed):
    trace.write_text("")
    chance = random.Random(seed)
    mission = Mission(stack, trace)
    for name in ("workers", "coordinators", "workers"):
        time.sleep(chance.uniform(0.2, 2))
        stack.kill(name)
    ended = eventually(lambda: (found := mission.state())["status"] == "succeeded" and found)
    assert sorted(trace.read_text().split()) == EFFECTS
    assert ended["agents"] == AGENTS
    assert ended["statuses"] == ["succeeded"]
    assert ended["messages"] == ended["distinct_messages"]


@pytest.mark.xdist_group("kill")
def test_workers_that_are_killed_between_two_tries_lose_and_double_nothing(tmp_path):
    trace = tmp_path / "trace"
    trace.touch()
    with running_stack(
        QUEENRIGHT_AGENT_MODULES="tests.agent_types",
        QUEENRIGHT_BREAKER_FAILURES="100",
        **{TRACE: str(trace)},
    ) as stack:
        mission = Mission(stack, trace, tool="trace_at_second_try")
        resting = eventually(mission.resting)
        stack.kill("workers")
        ended = eventually(lambda: (found := mission.state())["status"] == "succeeded" and found)
        assert sorted(set(trace.read_text().split())) == EFFECTS
        assert ended["statuses"] == ["succeeded"]
        tries = mission.tries()
        assert [tries[worker] for worker in resting] == [2] * len(resting)
        assert len(tries) == len(EFFECTS)
        assert set(tries.values()) <= {1, 2}  # once more is one, if the first was killed before it was counted


@pytest.mark.xdist_group("kill")
def test_a_worker_that_is_killed_as_a_breakers_probe_keeps_nobody_out(tmp_path):
    trace = tmp_path / "trace"
    trace.touch()
    with running_stack(
        QUEENRIGHT_AGENT_MODULES="tests.agent_types",
        QUEENRIGHT_TEST_PAUSE="2",
        QUEENRIGHT_BREAKER_FAILURES="1",
        QUEENRIGHT_BREAKER_SECONDS="2",
        **{TRACE: str(trace)},
    ) as stack:
        mission = Mission(stack, trace, tool="trace_at_second_try", below=(1, 1, 3))
        eventually(lambda: mission.is_probed("trace_at_second_try"))
        stack.kill("workers")
        eventually(lambda: mission.state()["status"] == "succeeded")
        assert sorted(set(trace.read_text().split())) == ["q.0.0.0", "q.0.0.1", "q.0.0.2"]


@pytest.mark.xdist_group("kill")
def test_a_restart_of_everything_goes_on_with_a_running_mission(stack, trace):
    trace.write_text("")
    mission = Mission(stack, trace)
    eventually(lambda: mission.state()["agents"] > 3)
    stack.restart()
    ended = eventually(lambda: (found := mission.state())["status"] == "succeeded" and found)
    assert sorted(trace.read_text().split()) == EFFECTS
    assert ended["agents"] == AGENTS


@pytest.mark.xdist_group("kill")
def test_connections_that_died_with_the_database_cost_no_agent_an_attempt(stack, trace):
    trace.write_text("")
    before = Mission(stack, trace)  # opens as many connections as a mission needs
    eventually(lambda: before.state()["status"] == "succeeded")
    stack.kill("postgres")
    eventually(lambda: stack.get() == 200)
    trace.write_text("")
    mission = Mission(stack, trace)
    ended = eventually(lambda: (found := mission.state())["status"] == "succeeded" and found)
    assert ended["worker_attempts"] == 1
