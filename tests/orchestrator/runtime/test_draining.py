"""A worker that is told to stop gives back what it runs; another goes on at once, and no crash is counted."""

import os
import signal
import threading
from datetime import timedelta

import pytest

from agents.lifecycle import SessionStatus
from agents.models import AgentEvent
from agents.roles import Level
from orchestrator import dispatch
from orchestrator.runtime import draining, runner
from orchestrator.runtime import leases as held_leases
from orchestrator.runtime.leases import Heart
from tests.agent_types import TRACE, leave_trace
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.test_kill import Mission
from tests.orchestrator.runtime.test_runner import effects, fresh
from tests.stack import eventually, running_stack


@pytest.fixture
def heart(monkeypatch):
    """Of a worker that has just started."""
    new = Heart()
    for module in (held_leases, runner, draining):
        monkeypatch.setattr(module, "heart", new)
    return new


def test_an_agent_stops_at_its_next_boundary_and_is_queued(mission, heart, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")

    def told_to_stop(caller, arguments):
        heart.drain()
        return leave_trace(caller, arguments)

    run_tool(monkeypatch, "trace_again", told_to_stop)
    assert runner.run_next(Level.WORKER) == SessionStatus.QUEUED
    assert fresh(root).current_run.crashes == 0
    assert draining.drain(timedelta(0)) == 0


def test_a_worker_that_stops_claims_nothing_and_passes_the_message_on(mission, heart, monkeypatch):
    rung = []
    root = mission("test.worker", tool="look_around")
    monkeypatch.setattr(dispatch, "ring", lambda level, times=1: rung.append(level))
    heart.drain()
    assert runner.run_next(Level.WORKER) is None
    assert rung == [Level.WORKER]
    assert fresh(root).status == SessionStatus.QUEUED


def test_an_agent_that_does_not_stop_is_handed_back_and_done_once_by_another(mission, heart, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    inside, go_on = threading.Event(), threading.Event()

    def hang(caller, arguments):
        inside.set()
        go_on.wait(60)
        return {"name": "late"}

    run_tool(monkeypatch, "trace_again", hang)
    stuck = threading.Thread(target=runner.run_next, args=(Level.WORKER,))
    stuck.start()
    assert inside.wait(60)
    assert draining.drain(timedelta(0)) == 1
    session = fresh(root)
    assert (session.status, session.current_run.crashes) == (SessionStatus.QUEUED, 0)
    assert AgentEvent.objects.filter(event_data__cause="handed_back").exists()
    monkeypatch.setattr(heart, "_is_draining", False)
    run_tool(monkeypatch, "trace_again", leave_trace)
    run_all()
    go_on.set()
    stuck.join()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]


@pytest.mark.xdist_group("kill")
def test_sigterm_hands_back_long_before_the_lease_runs_out(tmp_path):
    """The lease would last ten minutes, so only handing back explains that another worker goes on."""
    trace = tmp_path / "trace"
    trace.touch()
    with running_stack(
        QUEENRIGHT_AGENT_MODULES="tests.agent_types",
        QUEENRIGHT_LEASE_SECONDS="600",
        QUEENRIGHT_TEST_PAUSE="4",
        **{TRACE: str(trace)},
    ) as stack:
        mission = Mission(stack, trace, below=(1, 1, 2))
        eventually(lambda: mission.state()["workers"] == ["running"] * 2)
        old = stack.pid("workers")
        os.kill(old, signal.SIGTERM)
        stack.wait_for(lambda: stack.pids.get("workers") not in {old, None}, "another worker")
        ended = eventually(lambda: (found := mission.state())["status"] == "succeeded" and found)
        assert ended["worker_attempts"] > 1
        assert mission.crashes() == 0
