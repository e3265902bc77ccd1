"""What was committed and not told is told later; nothing else is."""

import threading
from typing import cast

import pytest
from django.db import connection, transaction

from agents.actor import SYSTEM
from agents.events import store
from agents.lifecycle import SessionStatus
from agents.models import AgentEvent
from agents.services import sessions
from orchestrator.realtime import feed, relay
from orchestrator.realtime.feed import from_fields
from orchestrator.realtime.relay import Relay
from tests.factories import make_mission
from tests.stack import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def told(project_id) -> list[str]:
    return [
        from_fields(fields).event
        for _, fields in cast("list[tuple[str, dict[str, str]]]", feed.connection().xrange(feed.stream(project_id)))
    ]


def forget(project_id) -> None:
    """As if the process had died between its commit and its telling."""
    feed.connection().delete(feed.stream(project_id))


def is_settled() -> bool:
    """Has every transaction ended that began before the last event? Parallel tests have some, in other databases."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT NOT EXISTS (SELECT FROM agent_events"
            " WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot()))"
        )
        (settled,) = cursor.fetchone()
    return settled


def run(watch: Relay) -> int:
    """What the relay sends once it may look at all events."""
    eventually(is_settled)
    return watch.run()


@pytest.fixture(autouse=True)
def no_grace(monkeypatch):
    monkeypatch.setattr(relay, "GRACE", 0)


@pytest.fixture
def silent(monkeypatch):
    """Nobody tells anything at commit."""
    monkeypatch.setattr(store, "_listeners", [])


def test_what_was_told_is_not_told_again():
    mission = make_mission()
    assert len(told(mission.project_id)) == 1
    assert run(Relay()) == 0
    assert len(told(mission.project_id)) == 1


def test_what_was_not_told_is_told_once(silent):
    mission = make_mission()
    watch = Relay()
    assert run(watch) == 1
    assert told(mission.project_id) == [str(AgentEvent.objects.get().pk)]
    assert run(watch) == 0
    assert run(Relay()) == 0


def test_a_told_fact_is_the_same_by_either_way():
    mission = make_mission()
    fields = feed.connection().xrange(feed.stream(mission.project_id))[0][1]
    forget(mission.project_id)
    run(Relay())
    assert feed.connection().xrange(feed.stream(mission.project_id))[0][1] == fields


def test_only_the_missing_ones_of_a_project_are_told(silent, monkeypatch):
    mission = make_mission()
    watch = Relay()
    run(watch)
    with transaction.atomic():
        sessions.move(sessions.lock(mission.pk), SessionStatus.RUNNING, actor=SYSTEM)
    assert run(watch) == 1
    assert len(set(told(mission.project_id))) == 2


def test_a_young_event_is_left_to_who_committed_it(silent, monkeypatch):
    monkeypatch.setattr(relay, "GRACE", 3600)
    make_mission()
    watch = Relay()
    assert run(watch) == 0
    monkeypatch.setattr(relay, "GRACE", 0)
    assert run(watch) == 1


def test_an_event_that_commits_late_is_not_skipped(silent):
    """Its transaction began before another one that has committed already."""
    early, late = make_mission(), make_mission()
    watch = Relay()
    run(watch)
    wrote, go_on = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            sessions.move(sessions.lock(late.pk), SessionStatus.RUNNING, actor=SYSTEM)
            wrote.set()
            assert go_on.wait(20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert wrote.wait(20)
    with transaction.atomic():
        sessions.move(sessions.lock(early.pk), SessionStatus.RUNNING, actor=SYSTEM)
    first = watch.run()
    go_on.set()
    thread.join(20)
    assert first + run(watch) == 2
    assert len(told(late.project_id)) == 2


def test_what_happens_while_redis_is_away_is_told_when_it_is_back(silent, redis_away, restore_redis):
    mission = make_mission()
    watch = Relay()
    assert run(watch) == 0
    restore_redis()
    assert run(watch) == 1
    assert len(told(mission.project_id)) == 1


def test_old_events_are_left_alone(silent, monkeypatch):
    make_mission()
    monkeypatch.setattr(relay, "WINDOW", 0)
    assert run(Relay()) == 0
