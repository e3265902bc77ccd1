"""The bulkhead of a worker: a project leaves some threads to others, while others have work."""

from uuid import uuid4

from agents.lifecycle import SessionStatus
from agents.roles import Level
from orchestrator.runtime import runner
from orchestrator.runtime.berths import Berths
from tests.orchestrator.runtime.test_runner import fresh


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


def test_a_project_that_is_alone_takes_every_thread(mission, monkeypatch):
    berths = Berths()
    berths.threads = 2
    monkeypatch.setattr(runner, "berths", berths)
    root = mission("test.worker", tool="look_around")
    with berths.taken(root.project_id):
        assert berths.full(0.5) == [root.project_id]
        assert runner.run_next(Level.WORKER) == SessionStatus.SUCCEEDED


def test_a_project_that_has_its_share_lets_others_go_first(mission, monkeypatch):
    berths = Berths()
    berths.threads = 2
    monkeypatch.setattr(runner, "berths", berths)
    first, other = (mission("test.worker", tool="look_around") for _ in range(2))
    with berths.taken(first.project_id):
        runner.run_next(Level.WORKER)
    assert fresh(first).status == SessionStatus.QUEUED
    assert fresh(other).status == SessionStatus.SUCCEEDED
