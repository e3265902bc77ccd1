"""What a level asks for: threads for those that run, and for those that could and have waited too long."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from agents.lifecycle import SessionStatus
from agents.models import AgentSession, Project
from agents.roles import Level
from agents.selectors.demand import Demand, demand
from tests.factories import make_mission, make_project, make_user

pytestmark = pytest.mark.django_db
PATIENCE = timedelta(seconds=5)


def sessions(project: Project, user, status: SessionStatus, count: int, *, seconds: int = 0) -> None:
    """Queens that have had this status for so long."""
    made = [make_mission(project, user).pk for _ in range(count)]
    moved_at = Now() - timedelta(seconds=seconds)
    AgentSession.objects.filter(pk__in=made).update(status=status, moved_at=moved_at)


def queens(max_running: int = 100) -> Demand:
    found = demand(patience=PATIENCE, max_running=max_running)
    assert [one.level for one in found] == list(Level)
    return found[0]


def test_without_work_nothing_is_wanted():
    assert queens() == Demand(Level.QUEEN, 0, 0, 0, 0.0)
    assert queens().processes(8) == 0


def test_who_waits_is_overdue_only_after_a_while():
    user = make_user()
    project = make_project(user)
    sessions(project, user, SessionStatus.RUNNING, 3)
    sessions(project, user, SessionStatus.QUEUED, 2, seconds=1)
    sessions(project, user, SessionStatus.QUEUED, 4, seconds=9)
    sessions(project, user, SessionStatus.WAITING_APPROVAL, 5, seconds=9)
    found = queens()
    assert (found.running, found.queued, found.overdue) == (3, 6, 4)
    assert 8 < found.oldest_seconds < 60


def test_a_full_project_asks_for_no_more_workers():
    user = make_user()
    full, other = make_project(user), make_project(user)
    sessions(full, user, SessionStatus.RUNNING, 2)
    sessions(full, user, SessionStatus.QUEUED, 5, seconds=9)
    sessions(other, user, SessionStatus.QUEUED, 1, seconds=9)
    assert queens(max_running=4).overdue == 3
    assert queens(max_running=2).overdue == 1


@pytest.mark.parametrize(
    ("running", "queued", "overdue", "wanted"),
    [(0, 0, 0, 0), (0, 1, 0, 1), (8, 50, 0, 1), (8, 50, 1, 2), (0, 17, 17, 3), (16, 0, 0, 2)],
)
def test_processes_are_wanted_for_who_runs_and_who_is_overdue(running, queued, overdue, wanted):
    assert Demand(Level.WORKER, running, queued, overdue, 1.0).processes(8) == wanted
