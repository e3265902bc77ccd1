"""A worker that is known to have died is not waited for; one of which nothing is known is."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from agents.lifecycle import SessionStatus
from agents.models import AgentSession
from agents.roles import Level
from agents.services import leases
from orchestrator import sweeper
from orchestrator.runtime import holders
from tests.factories import make_mission
from tests.orchestrator.runtime.conftest import run_all, run_tool


def name_of(pid: int) -> str:
    """A process of this machine."""
    return f"{holders.this_process().rpartition(':')[0]}:{pid}"


@pytest.fixture
def corpse() -> int:
    """The number of a process that has died a moment ago."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_processes_of_this_machine_are_known_to_have_died(corpse):
    elsewhere = [f"elsewhere:{corpse}", f"{name_of(1).rpartition('.')[0]}.1:{corpse}"]
    known = [holders.this_process(), name_of(os.getppid()), name_of(1), name_of(corpse), *elsewhere]
    assert holders.dead(known) == [name_of(corpse)]


@pytest.mark.django_db(transaction=True)
def test_the_agents_of_a_dead_worker_are_queued_before_their_leases_run_out(corpse):
    claimed = {}
    for holder in (name_of(corpse), f"elsewhere:{corpse}", holders.this_process()):
        mission = make_mission()
        session = leases.claim(Level.QUEEN, holder=holder, lease=timedelta(minutes=1), max_running=10)
        assert session.pk == mission.pk
        claimed[holder] = mission
    sweeper.requeue_lost()
    queued = AgentSession.objects.filter(status=SessionStatus.QUEUED)
    assert [session.pk for session in queued] == [claimed[name_of(corpse)].pk]
    assert queued.get().current_run.crashes == 1


def test_a_worker_claims_in_a_name_by_which_its_death_is_known(mission, trace, monkeypatch):
    mission("test.worker")
    claimed = []

    def look(caller, arguments):
        claimed.extend(leases.holders())
        return {"name": arguments.name}

    run_tool(monkeypatch, "leave_trace", look)
    run_all()
    assert claimed == [name_of(os.getpid())]
