"""Claims: one worker a session, the best first, and nothing lost with a dead worker."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from agents.actor import Actor
from agents.ids import new_id
from agents.lifecycle import Control, SessionStatus
from agents.models import AgentEvent, AgentRun, AgentSession, AgentState, Project, SessionLease, User
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
def test_a_project_has_a_limit_of_its_own_where_it_was_given_one():
    user = make_user()
    narrow, wide = make_project(user), make_project(user)
    Project.objects.filter(pk=narrow.pk).update(max_running=1)
    for project in (narrow, wide):
        for _ in range(3):
            make_mission(project, user)
    taken = [session.project_id for _ in range(6) if (session := claim(max_running=2))]
    assert (taken.count(narrow.pk), taken.count(wide.pk)) == (1, 2)


def queue_many(project: Project, user: User, count: int, *, ago: timedelta = timedelta(hours=1)) -> None:
    """Queued missions as a burst leaves them, older the earlier they were made."""
    ids = [uuid4() for _ in range(count)]
    now = timezone.now() - ago
    AgentSession.objects.bulk_create(
        AgentSession(
            pk=pk, project=project, user=user, agent_type="test.queen", level=Level.QUEEN, name="M", status="queued",
            root_id=pk, moved_at=now + timedelta(milliseconds=number),
        )
        for number, pk in enumerate(ids)
    )  # fmt: skip


@pytest.mark.django_db
def test_a_thousand_queued_sessions_of_one_project_do_not_hold_up_the_first_of_another():
    user = make_user()
    loud, quiet = make_project(user), make_project(user)
    queue_many(loud, user, 1000)
    for _ in range(5):
        assert claim().project_id == loud.pk
    first = make_mission(quiet, user)
    assert claim().pk == first.pk


@pytest.mark.django_db
def test_projects_share_the_workers_evenly_or_by_their_limits():
    user = make_user()
    small, large = make_project(user), make_project(user)
    Project.objects.filter(pk=large.pk).update(max_running=30)
    for project in (small, large):
        queue_many(project, user, 40)
    taken = [claim(max_running=10).project_id for _ in range(20)]
    assert (taken.count(small.pk), taken.count(large.pk)) == (5, 15)


@pytest.mark.django_db
def test_a_share_counts_what_runs_on_the_same_level():
    """Else a project with many workers at work would never get its queen back."""
    user = make_user()
    busy, other = make_project(user), make_project(user)
    queue_many(busy, user, 12)
    AgentSession.objects.filter(project=busy).update(level=Level.WORKER)
    for _ in range(10):
        claim(Level.WORKER)
    queue_many(busy, user, 2)
    queue_many(other, user, 2)
    taken = {claim().project_id, claim().project_id}
    assert taken == {busy.pk, other.pk}


@pytest.mark.django_db
def test_urgent_work_goes_first_but_not_for_ever():
    user = make_user()
    project = make_project(user)
    old = make_mission(project, user)
    recent = make_mission(project, user)
    urgent = make_mission(project, user, priority=2)
    AgentSession.objects.filter(pk=old.pk).update(moved_at=timezone.now() - timedelta(minutes=21))
    AgentSession.objects.filter(pk=recent.pk).update(moved_at=timezone.now() - timedelta(minutes=19))
    assert [claim().pk for _ in range(3)] == [old.pk, urgent.pk, recent.pk]


@pytest.mark.django_db
def test_a_project_that_fills_its_part_of_a_worker_is_served_last():
    user = make_user()
    full = make_project(user)
    queue_many(full, user, 2)
    other = make_mission(make_project(user), user)
    taken = [
        leases.claim(Level.QUEEN, holder="here", lease=LEASE, max_running=100, full=[full.pk]).project_id
        for _ in range(3)
    ]
    assert taken == [other.project_id, full.pk, full.pk]


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_moment_do_not_go_beyond_the_limit():
    user = make_user()
    project, other = make_project(user), make_project(user)
    Project.objects.filter(pk=project.pk).update(max_running=3)
    queue_many(project, user, 12)
    queue_many(other, user, 2, ago=timedelta(0))
    taken = [session.project_id for session in at_once(*[claim for _ in range(12)]) if session]
    assert (taken.count(project.pk), taken.count(other.pk)) == (3, 2)


PARAMETERS = {"level": "queen", "max_running": 100, "full": [], "lease": 60, "holder": "here", "move_id": UUID(int=0)}


def crowd(user: User) -> None:
    """5,000 queued sessions of a full project, and 3 times 1,000 of others."""
    full = make_project(user)
    Project.objects.filter(pk=full.pk).update(max_running=1)
    queue_many(full, user, 5000)
    claim()  # so this one is full: none of its 5,000 may be looked at one by one
    for _ in range(3):
        queue_many(make_project(user), user, 1000, ago=timedelta(minutes=5))


def explained(statement: str, parameters: dict[str, Any] | None = None) -> dict:
    """The plan by which a statement has just run."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        plan = cursor.fetchone()[0]
    return (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]


@pytest.mark.django_db
def test_a_claim_reads_a_handful_of_rows_however_many_are_queued():
    crowd(make_user())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE agent_sessions")
    assert max(rows_of(explained(leases.CLAIM, PARAMETERS))) <= 10


@pytest.mark.django_db
def test_so_does_one_whose_plan_was_made_when_nothing_was_queued():
    """Workers keep the plan for all parameters, from their first claims on."""
    numbered = leases.CLAIM % {name: f"${place}" for place, name in enumerate(PARAMETERS, 1)}
    with connection.cursor() as cursor:
        # what other tests left, and what autovacuum saw of it, is gone; it does not look before this one is over
        cursor.execute("TRUNCATE agent_sessions CASCADE")
        cursor.execute("ALTER TABLE agent_sessions SET (autovacuum_enabled = false)")
        cursor.execute("SELECT pg_clear_relation_stats('public', 'agent_sessions')")
        cursor.execute(
            "SELECT pg_clear_attribute_stats('public', 'agent_sessions', attname, false)"
            " FROM pg_stats WHERE tablename = 'agent_sessions'"
        )
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE kept (text, int, uuid[], float8, text, uuid) AS {numbered}")
        cursor.execute("EXPLAIN EXECUTE kept('queen', 100, '{}', 60, 'here', gen_random_uuid())")
        crowd(make_user())
        plan = explained("EXECUTE kept('queen', 100, '{}', 60, 'here', gen_random_uuid())")
        cursor.execute("DEALLOCATE kept")
    assert max(rows_of(plan)) <= 10


def rows_of(node: dict) -> Iterator[float]:
    """The rows that each step of a plan read of tables and indexes, in all its rounds."""
    if "Relation Name" in node:
        yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for inner in node.get("Plans", []):
        yield from rows_of(inner)


@pytest.mark.django_db(transaction=True)
def test_what_is_handed_back_is_queued_at_once_and_no_crash_counted():
    make_mission()
    session = claim()
    held = Holding(session.pk, 1)
    assert leases.hand_back(held)
    assert not leases.hand_back(held)
    session.refresh_from_db()
    assert (session.status, session.current_run.crashes) == (SessionStatus.QUEUED, 0)
    assert not SessionLease.objects.exists()
    assert claim().attempt == 2


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
def test_crashes_from_before_a_step_that_was_saved_do_not_count():
    """A night with many failures of a server is no fault of an agent that goes on after each of them."""
    make_mission()
    counted = []
    for saves in (False, False, True, False, False):
        session = claim()
        if saves:
            new = {"state_id": new_id(), "checkpoint_id": new_id(), "state_hash": b"", "is_current": True}
            AgentState.objects.create(project_id=session.project_id, session=session, **new)
        SessionLease.objects.update(until=Now() - timedelta(seconds=1))
        assert leases.requeue_expired() == [session.pk]
        counted.append(AgentRun.objects.get(session=session).crashes)
    assert counted == [1, 2, 1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_two_sweepers_count_one_crash():
    make_mission()
    session = claim()
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    found = at_once(leases.requeue_expired, leases.requeue_expired)
    assert sorted(map(len, found)) == [0, 1]
    session.refresh_from_db()
    assert session.current_run.crashes == 1
