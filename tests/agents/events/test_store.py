"""Events form one sound chain per aggregate, and listeners hear of them after the commit."""

import threading

import pytest
from django.db import connection, transaction

from agents.actor import SYSTEM
from agents.events import store
from agents.events.types import SessionControlled
from agents.models import AgentEvent, AgentSession
from tests.factories import make_mission


def controlled(session: AgentSession) -> None:
    with transaction.atomic():
        store.record(SessionControlled(control="pause"), session, actor=SYSTEM)


@pytest.mark.django_db
def test_a_chain_is_sound_until_an_event_is_changed():
    mission = make_mission()
    for _ in range(3):
        controlled(mission)
    assert store.first_break(mission.pk) is None
    AgentEvent.objects.filter(aggregate_id=mission.pk, version=3).update(event_data={"control": "cancel"})
    assert store.first_break(mission.pk) == 3


@pytest.mark.django_db
@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_missing_event_is_found(version):
    mission = make_mission()
    for _ in range(3):
        controlled(mission)
    AgentEvent.objects.filter(aggregate_id=mission.pk, version=version).delete()
    assert store.first_break(mission.pk) == version


@pytest.mark.django_db(transaction=True)
def test_writers_of_one_aggregate_at_once_leave_no_gap():
    mission = make_mission()
    barrier = threading.Barrier(8)

    def write() -> None:
        barrier.wait()
        for _ in range(5):
            controlled(mission)
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = AgentEvent.objects.filter(aggregate_id=mission.pk).order_by("version").values_list("version", flat=True)
    assert list(versions) == list(range(1, 42))
    assert store.first_break(mission.pk) is None


@pytest.mark.django_db(transaction=True)
def test_listeners_hear_of_committed_events_only(monkeypatch):
    heard: list[str] = []
    monkeypatch.setattr(store, "_listeners", [lambda events: heard.extend(e.event.event_type for e in events)])
    mission = make_mission()
    assert heard == ["session.created"]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        store.record(SessionControlled(control="pause"), mission, actor=SYSTEM)
        1 / 0  # noqa: B018 - the error is the point
    assert heard == ["session.created"]


@pytest.mark.django_db(transaction=True)
def test_a_listener_that_fails_harms_neither_the_change_nor_the_next_listener(monkeypatch):
    heard: list[str] = []

    def broken(events):
        raise ConnectionError

    monkeypatch.setattr(store, "_listeners", [broken, lambda events: heard.extend(e.event.event_type for e in events)])
    mission = make_mission()
    assert heard == ["session.created"]
    assert AgentSession.objects.filter(pk=mission.pk).exists()


@pytest.mark.django_db
def test_an_event_knows_its_transaction_mission_and_actor():
    mission = make_mission()
    event = AgentEvent.objects.get(aggregate_id=mission.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (current,) = cursor.fetchone()
    assert int(event.transaction_id) == current
    assert event.correlation_id == mission.pk
    assert event.metadata == {"actor": "system"}
