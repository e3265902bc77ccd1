"""Claims: one worker a session, the best first, and nothing lost with a dead worker."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now

from agents.actor import Actor
from agents.lifecycle import Control, SessionStatus
from agents.models import AgentEvent, AgentSession, SessionLease
from agents.roles import Level
from agents.services import leases, sessions
from agents.services.leases import Holding
from tests.factories import make_mission, make_project, make_user
from tests.races import at_once

LEASE = timedelta(seconds=60)


def claim(level: Level = Level.QUEEN, max_running: int = 100) -> AgentSession | None:
    return leases.claim(level, holder="here", lease=LEASE, max_running=max_running)


@pytest.mark.django_db
def test_a_claim_takes_priority_first_then_age():
    user = make_user()
    project = make_project(user)
    first = make_mission(project, user)
    second = make_mission(project, user)
    urgent = make_mission(project, user, priority=5)
    taken = [claim() for _ in range(4)]
    assert [session and session.pk for session in taken] == [urgent.pk, first.pk, second.pk, None]


@pytest.mark.django_db
def test_a_claim_takes_only_its_level():
    make_mission()
    assert claim(Level.WORKER) is None


@pytest.mark.django_db
def test_a_project_that_is_full_makes_room_for_another():
    user = make_user()
    full = make_project(user)
    for _ in range(2):
        make_mission(full, user)
    other = make_mission(make_project(user), user)
    assert claim(max_running=1).project_id == full.pk
    assert claim(max_running=1).pk == other.pk
    assert claim(max_running=1) is None


@pytest.mark.django_db
def test_a_claim_raises_the_attempt_and_leaves_an_event_and_a_lease():
    mission = make_mission()
    session = claim()
    assert (session.status, session.attempt) == (SessionStatus.RUNNING, 1)
    assert session.lease.until > mission.created_at
    event = AgentEvent.objects.get(aggregate_id=mission.pk, version=2)
    assert event.event_data["status"] == "running"


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_claim_each_session_once():
    user = make_user()
    project = make_project(user)
    made = {make_mission(project, user).pk for _ in range(12)}
    taken = at_once(*[claim for _ in range(16)])
    found = [session.pk for session in taken if session is not None]
    assert len(found) == len(set(found))
    rest = [claim() for _ in range(12 - len(found))]  # a locked row is passed over, never waited for
    assert {*found, *(session.pk for session in rest)} == made


@pytest.mark.django_db
def test_a_heartbeat_keeps_only_what_is_still_held_and_brings_what_people_want():
    make_mission()
    session = claim()
    held = Holding(session.pk, 1)
    stale = Holding(session.pk, 0)
    with transaction.atomic():
        sessions.set_control(sessions.lock(session.pk), Control.PAUSE, actor=Actor("system"))
    assert leases.beat([held], LEASE) == {held: Control.PAUSE}
    assert leases.beat([stale], LEASE) == {}


@pytest.mark.django_db(transaction=True)
def test_an_expired_lease_is_queued_again_with_a_crash_counted():
    make_mission()
    session = claim()
    assert leases.requeue_expired() == []
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    assert leases.requeue_expired() == [session.pk]
    session.refresh_from_db()
    assert (session.status, session.current_run.crashes) == (SessionStatus.QUEUED, 1)
    assert claim().attempt == 2


@pytest.mark.django_db(transaction=True)
def test_two_sweepers_count_one_crash():
    make_mission()
    session = claim()
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    found = at_once(leases.requeue_expired, leases.requeue_expired)
    assert sorted(map(len, found)) == [0, 1]
    session.refresh_from_db()
    assert session.current_run.crashes == 1
