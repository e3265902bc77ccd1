"""What events add up to: now, at a version, at a time; with snapshots and without."""

import pytest
from django.db import transaction

from agents.actor import SYSTEM
from agents.errors import UnknownEvent
from agents.events import folds, history, store
from agents.events.folds import APPLY, WITHOUT_EFFECT
from agents.events.types import (
    KINDS,
    CommunicationClosed,
    CommunicationSent,
    SessionControlled,
    SessionMoved,
    SessionSaid,
    ToolMoved,
)
from agents.ids import new_id
from agents.lifecycle import Control, SessionStatus
from agents.models import AgentEvent, EventSnapshot
from agents.services import control, sessions
from tests.factories import make_mission


def record(mission, *events) -> None:
    with transaction.atomic():
        for event in events:
            store.record(event, mission, actor=SYSTEM)


def called(status: str, execution_id, attempt: int = 1) -> ToolMoved:
    return ToolMoved(execution_id=execution_id, tool_name="look", status=status, attempt=attempt, digest="d")


@pytest.fixture
def few(monkeypatch):
    """A snapshot every three events."""
    monkeypatch.setattr(history, "EVERY", 3)


def test_it_is_known_of_each_kind_of_event_what_it_changes():
    kinds = {kind for kind in KINDS.values() if kind.__module__ == "agents.events.types"}
    assert set(APPLY) | WITHOUT_EFFECT == kinds
    assert not set(APPLY) & WITHOUT_EFFECT


@pytest.mark.django_db
def test_the_state_of_a_session_is_what_its_events_add_up_to():
    mission = make_mission()
    control.pause(mission.pk, actor=SYSTEM, reason="tea")
    control.resume(mission.pk, actor=SYSTEM)
    control.cancel(mission.pk, actor=SYSTEM, reason="enough")
    mission.refresh_from_db()
    with transaction.atomic():
        sessions.start_run(sessions.lock(mission.pk), "retry", actor=SYSTEM)
    mission.refresh_from_db()
    state = history.state_at(mission.pk)
    assert (state.status, state.level, state.mission_id) == ("queued", "queen", mission.pk)
    assert (state.run_id, state.control) == (mission.current_run_id, Control.NONE)
    assert [(run.number, run.status, run.command) for run in state.runs.values()] == [
        (1, "cancelled", None),
        (2, "active", "retry"),
    ]


@pytest.mark.django_db
def test_the_late_end_of_an_attempt_does_not_take_a_later_one_back():
    mission, call = make_mission(), new_id()
    record(mission, called("running", call), called("running", call, 2), called("completed", call, 1))
    told = history.state_at(mission.pk).calls[call]
    assert (told.status, told.attempt) == ("completed", 2)


@pytest.mark.django_db
def test_a_request_that_was_never_put_cannot_be_closed():
    conversation, mission = new_id(), make_mission()
    closed = CommunicationClosed(communication_id=new_id(), session_id=mission.pk, outcome="answered")
    told = CommunicationSent(
        communication_id=new_id(), session_id=mission.pk, receiver_id=None, kind="validation", digest="d"
    )
    with transaction.atomic():
        for event in (told, closed):
            store.record(event, mission, actor=SYSTEM, aggregate_id=conversation)
    assert set(history.state_at(conversation, version=1).told) == {told.communication_id}
    with pytest.raises(UnknownEvent, match="cannot come here"):
        history.state_at(conversation)


@pytest.mark.django_db
def test_the_state_at_a_version_and_at_its_time_are_the_same():
    mission = make_mission()
    for _ in range(2):
        control.pause(mission.pk, actor=SYSTEM, reason="")
        control.resume(mission.pk, actor=SYSTEM)
    assert history.state_at(mission.pk, version=0) is None
    for event in AgentEvent.objects.filter(aggregate_id=mission.pk).order_by("version"):
        at_version = history.state_at(mission.pk, version=event.version)
        assert at_version == history.state_at(mission.pk, time=event.timestamp)
        if event.event_type != "session.controlled":
            assert at_version.status == event.event_data["status"]
    assert history.state_at(new_id()) is None


@pytest.mark.django_db
def test_without_any_snapshot_everything_is_the_same(few):
    mission, call = make_mission(), new_id()
    for _ in range(4):
        control.pause(mission.pk, actor=SYSTEM, reason="")
        control.resume(mission.pk, actor=SYSTEM)
        record(mission, called("running", call), called("completed", call))
    events = list(AgentEvent.objects.filter(aggregate_id=mission.pk).order_by("version"))

    def answers():
        return [
            (history.state_at(mission.pk, version=one.version), history.state_at(mission.pk, time=one.timestamp))
            for one in events
        ]

    before = answers()
    assert history.take_snapshots() == len(events) // 3
    assert history.take_snapshots() == 0
    assert answers() == before
    EventSnapshot.objects.filter(version__gt=9).delete()
    assert answers() == before
    EventSnapshot.objects.all().delete()
    assert answers() == before


@pytest.mark.django_db
def test_a_replay_begins_at_the_last_snapshot(few):
    mission = make_mission()
    record(mission, *[SessionControlled(control="pause")] * 6)
    assert history.take_snapshots() == 2
    AgentEvent.objects.filter(aggregate_id=mission.pk, version__lte=6).delete()  # it is not read any more
    assert history.state_at(mission.pk).control == "pause"
    assert history.state_at(mission.pk, version=6).control == "pause"
    record(mission, SessionControlled(control=""))
    assert history.state_at(mission.pk).control == ""


@pytest.mark.django_db
def test_a_snapshot_of_another_form_is_not_used_and_taken_anew(few, monkeypatch):
    mission = make_mission()
    record(mission, *[SessionControlled(control="pause")] * 3)
    assert history.take_snapshots() == 1
    EventSnapshot.objects.update(snapshot_data={"form": 1, "at": 0, "state": {"status": "lost"}})
    assert history.state_at(mission.pk).control == "pause"  # one that cannot be read is passed over
    monkeypatch.setattr(history, "FORM", 2)
    assert history.state_at(mission.pk).control == "pause"
    assert history.take_snapshots() == 1
    assert EventSnapshot.objects.get().snapshot_data["form"] == 2


@pytest.mark.django_db
def test_one_that_cannot_be_read_holds_no_other_s_snapshots_up(few):
    broken, sound = make_mission(), make_mission()
    for mission in (broken, sound):
        record(mission, *[SessionControlled(control="pause")] * 3)
    AgentEvent.objects.filter(aggregate_id=broken.pk, version=2).update(event_type="session.danced")
    assert history.take_snapshots() == 1
    assert EventSnapshot.objects.get().aggregate_id == sound.pk


@pytest.mark.django_db
def test_an_event_that_comes_out_of_turn_is_an_error():
    mission = make_mission()
    first, *_ = store.load(mission.pk)
    said = SessionSaid(message_id=new_id(), digest="d")
    moved = SessionMoved(previous="queued", status=SessionStatus.RUNNING, level="queen", attempt=1, run_id=None)
    record(mission, said, moved)
    _, second, third = store.load(mission.pk)
    assert folds.fold([second]) is None
    with pytest.raises(UnknownEvent, match=r"session\.moved"):
        folds.fold([third])
    assert folds.fold([first, second, third]).status == "running"
