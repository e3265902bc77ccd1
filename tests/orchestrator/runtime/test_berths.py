"""The bulkhead of a worker: a project leaves some threads to others, and nothing is forgotten for that."""

from uuid import uuid4

import pytest

from agents.models import AgentSession
from agents.roles import Level
from orchestrator import dispatch
from orchestrator.runtime import runner
from orchestrator.runtime.berths import Berths
from tests.orchestrator.runtime.conftest import run_all


def test_a_project_is_full_once_it_has_its_share_of_the_threads():
    berths, project = Berths(), uuid4()
    berths.threads = 4
    with berths.taken(project), berths.taken(project), berths.taken(uuid4()):
        assert berths.full(0.9) == []
        with berths.taken(project):
            assert berths.full(0.9) == [project]
    assert berths.full(0.9) == []


def test_a_worker_of_one_thread_serves_every_project():
    berths = Berths()
    berths.threads = 1
    assert berths.full(0.1) == []


def test_what_is_no_worker_knows_no_bulkhead():
    berths = Berths()
    with berths.taken(uuid4()):
        assert berths.full(0.9) == []


@pytest.fixture
def rung(monkeypatch):
    """The levels that were rung."""
    levels: list[Level] = []
    monkeypatch.setattr(dispatch, "ring", lambda level, times=1: levels.append(level))
    return levels


def test_a_message_for_a_full_project_is_sent_again_when_there_is_room(mission, monkeypatch, rung):
    berths = Berths()
    berths.threads = 2
    monkeypatch.setattr(runner, "berths", berths)
    root = mission("test.worker", tool="look_around")
    with berths.taken(root.project_id):
        assert runner.run_next(Level.WORKER) is None
        rung.clear()
    assert rung == [Level.WORKER]
    run_all()
    assert AgentSession.objects.get().status == "succeeded"
