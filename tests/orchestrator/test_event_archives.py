"""Archived missions: their events have gone from the table, and everything that was known of them still is."""

from datetime import timedelta
from functools import partial

import pytest
from django.core.management import CommandError
from django.db import transaction
from django.utils import timezone

from agents.actor import SYSTEM
from agents.events import archives, history, rows, store, stream
from agents.events.types import SessionControlled
from agents.lifecycle import SessionStatus
from agents.models import AgentEvent, AgentSession, EventArchive, EventHead
from agents.selectors import activity, lanes
from agents.services import control
from orchestrator.actions import agents
from orchestrator.actions import events as event_actions
from tests.factories import make_mission
from tests.orchestrator.runtime.conftest import mission, run_all, trace
from tests.orchestrator.runtime.test_research import decide, operator, start
from tests.orchestrator.test_events_command import events, execute
from tests.races import at_once, settle

__all__ = ["mission", "operator", "trace"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

OLD = timedelta(days=100)


def ended(count: int = 3) -> AgentSession:
    """A mission that ended long ago, with some events."""
    session = make_mission()
    with transaction.atomic():
        for _ in range(count):
            store.record(SessionControlled(control="pause"), session, actor=SYSTEM)
    control.cancel(session.pk, actor=SYSTEM, reason="Enough.")
    return aged(session)


def aged(mission: AgentSession) -> AgentSession:
    """As if it had ended long ago."""
    AgentSession.objects.filter(root=mission.pk).update(moved_at=timezone.now() - OLD)
    return AgentSession.objects.get(pk=mission.pk)


def archive() -> tuple[int, list[str]]:
    return events("archive", "--older-than", "90d")


def test_what_is_known_of_an_archived_mission_is_what_was_known_before(operator):
    mission = start(operator)
    run_all()
    decide(operator, "approve")
    run_all()
    mission = aged(mission)
    kept = list(AgentEvent.objects.order_by("aggregate_id", "version"))
    heads = list(EventHead.objects.order_by("pk").values_list("pk", "version", "hash"))
    verified = events("verify")

    def known():
        states = [history.state_at(one.aggregate_id, version=one.version) for one in kept]
        at_times = [history.state_at(one.aggregate_id, time=one.timestamp) for one in kept]
        loaded = [list(store.load(pk)) for pk, *_ in heads]
        return states, at_times, loaded, lanes.lanes(mission.pk), activity.of_mission(mission.pk, limit=30)

    before = known()
    assert archive() == (0, [f"{mission.pk}: {len(kept)} events", f"{len(kept)} events were archived."])
    assert not AgentEvent.objects.exists()
    assert list(EventHead.objects.order_by("pk").values_list("pk", "version", "hash")) == heads
    assert known() == before
    assert events("verify") == verified
    assert events("verify", "--mission", str(mission.pk)) == verified
    assert verified[0] == 0


def test_archiving_again_archives_nothing():
    ended()
    assert archive()[1][-1] == "5 events were archived."
    assert archive() == (0, ["0 events were archived."])
    assert EventArchive.objects.count() == 1


def test_a_dry_run_says_what_would_be_and_changes_nothing():
    mission = ended()
    told = events("archive", "--older-than", "90d", "--dry-run")
    assert told == (0, [f"{mission.pk}: 5 events", "5 events would be archived."])
    assert AgentEvent.objects.count() == 5
    assert not EventArchive.objects.exists()


def test_what_is_young_or_still_at_work_stays():
    ended()
    at_work = make_mission()
    control.cancel(make_mission().pk, actor=SYSTEM, reason="Just now.")
    child_at_work = ended()
    AgentSession.objects.filter(pk=at_work.pk).update(moved_at=timezone.now() - OLD)
    AgentSession.objects.filter(pk=at_work.pk).update(
        root=child_at_work.pk, parent=child_at_work.pk, path=[child_at_work.pk]
    )
    assert archive()[1][-1] == "5 events were archived."
    assert set(AgentEvent.objects.values_list("correlation_id", flat=True)) >= {at_work.pk, child_at_work.pk}


def test_a_mission_that_goes_on_appends_to_what_is_archived(mission):
    root = mission("test.worker")
    run_all()
    aged(root)
    archive()
    archived = EventHead.objects.get(pk=root.pk).version
    AgentSession.objects.filter(pk=root.pk).update(status="failed")
    control.retry(root.pk, actor=SYSTEM)
    assert AgentEvent.objects.filter(aggregate_id=root.pk).first().version == archived + 1
    run_all()
    assert [one.version for one in store.load(root.pk)] == list(range(1, EventHead.objects.get(pk=root.pk).version + 1))
    assert history.state_at(root.pk).status == SessionStatus.SUCCEEDED
    assert store.first_break(root.pk) is None
    assert [one.version for one in store.load(root.pk, after=archived - 1, until_version=archived + 1)] == [
        archived,
        archived + 1,
    ]
    aged(root)
    assert archive()[0] == 0
    assert EventArchive.objects.filter(mission_id=root.pk).count() == 2
    assert history.state_at(root.pk).status == SessionStatus.SUCCEEDED
    assert events("verify")[0] == 0


def test_a_mission_that_is_retried_at_that_moment_is_sound_whoever_comes_first():
    missions = [ended() for _ in range(6)]
    before = timezone.now() - timedelta(days=90)
    calls = [
        partial(act, one)
        for one in missions
        for act in (
            lambda session: archives.archive(session.pk, before),
            lambda session: control.retry(session.pk, actor=SYSTEM),
            lambda session: archives.archive(session.pk, before),
        )
    ]
    outcomes = at_once(*calls)
    assert not [one for one in outcomes if isinstance(one, Exception)]
    assert events("verify")[0] == 0
    for one in missions:
        assert [event.version for event in store.load(one.pk)] == [1, 2, 3, 4, 5, 6, 7]
        assert history.state_at(one.pk).status == SessionStatus.QUEUED
        live = set(AgentEvent.objects.filter(aggregate_id=one.pk).values_list("version", flat=True))
        assert not live & {row.version for row in rows.of_archive(one.pk)}


def test_a_large_mission_is_archived_in_parts(monkeypatch):
    monkeypatch.setattr(archives, "PART", 4)
    mission = ended(7)
    before = list(store.load(mission.pk))
    archive()
    assert [part.events for part in EventArchive.objects.order_by("part")] == [4, 4, 1]
    assert list(store.load(mission.pk)) == before
    assert [one.version for one in store.load(mission.pk, after=5)] == [6, 7, 8, 9]
    assert events("verify")[0] == 0


def test_a_broken_chain_is_not_archived_and_named():
    broken, sound = ended(), ended()
    execute("UPDATE agent_events SET event_data = '{}' WHERE aggregate_id = %s AND version = 3", broken.pk)
    code, lines = archive()
    assert code == 1
    assert f"{broken.pk}: session {broken.pk}: version 3 was changed." in lines
    assert f"{sound.pk}: 5 events" in lines
    assert AgentEvent.objects.filter(aggregate_id=broken.pk).count() == 5


def test_what_a_consumer_has_not_read_is_not_archived():
    mission = ended()
    stream.register("bell")
    assert archive() == (
        1,
        [f"{mission.pk}: The consumer bell has not read its events yet.", "0 events were archived."],
    )
    settle()
    while stream.consume("bell", lambda found: None, most=2):
        assert AgentEvent.objects.count() == 5
    assert archive()[0] == 0
    assert not AgentEvent.objects.exists()


DAMAGES = {
    "bytes": ("UPDATE event_archives SET body = set_byte(body, 40, get_byte(body, 40) # 255)", "version 1 cannot be"),
    "half": ("UPDATE event_archives SET body = substring(body FOR 90)", "version 1 cannot be read: Part 1"),
    "all": ("DELETE FROM event_archives", "version 1 to 5 are missing"),
    "whose": ("UPDATE event_archives SET aggregates = '{}'", "version 1 to 5 are missing"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_found(damage):
    statement, words = DAMAGES[damage]
    mission = ended()
    archive()
    execute(statement)
    code, lines = events("verify")
    assert code == 1
    assert lines[0].startswith(f"session {mission.pk}: {words}")


def test_a_forged_archive_is_found():
    mission = ended()
    archive()
    part = EventArchive.objects.get()
    forged = [
        row if row.version != 2 else rows.Row(**{**as_dict(row), "data": {"control": "cancel"}})
        for row in rows.unpacked(part)
    ]
    EventArchive.objects.update(body=rows.packed(forged))
    assert events("verify")[1][0] == f"session {mission.pk}: version 2 was changed"


def as_dict(row) -> dict:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def test_people_can_go_on_with_an_archived_mission_from_its_page(operator):
    mission = start(operator)
    agents.cancel(operator, mission.pk)
    aged(mission)
    archive()
    agents.retry(operator, mission.pk)
    told = activity.of_mission(mission.pk)
    assert [one.kind for one in told] == ["session.moved", "session.created"]
    assert events("verify")[0] == 0


def test_days_are_days():
    with pytest.raises((CommandError, SystemExit)):
        events("archive", "--older-than", "soon")
    assert list(event_actions.archive(timezone.now())) == []
