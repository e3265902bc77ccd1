"""Consumers of the ordered stream get each event, late commits too, and keep how far they are."""

import threading
from collections.abc import Sequence
from functools import partial

import pytest
from django.db import transaction

from agents.actor import SYSTEM
from agents.errors import NotFound, UnknownEvent
from agents.events import store, stream
from agents.events.reading import Stored
from agents.events.types import ApprovalRequested, SessionControlled
from agents.ids import new_id
from agents.models import AgentEvent, AgentSession
from tests.factories import make_mission
from tests.races import at_once, settle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mission():
    """With its first event passed by, and a consumer of what comes."""
    mission = make_mission()
    settle()
    stream.register("bell", from_now=True)
    return mission


def press(mission, control: str) -> None:
    with transaction.atomic():
        store.record(SessionControlled(control=control), mission, actor=SYSTEM)


def controls(events: Sequence[Stored]) -> list[str]:
    return [one.event.control for one in events if isinstance(one.event, SessionControlled)]


def read(most: int = 100) -> list[str]:
    settle()
    return read_now(most)


def read_now(most: int = 100) -> list[str]:
    found: list[str] = []
    stream.consume("bell", lambda events: found.extend(controls(events)), most=most)
    return found


def test_each_event_comes_once_and_in_order(mission):
    for number in range(5):
        press(mission, str(number))
    assert read(2) == ["0", "1"]
    assert read() == ["2", "3", "4"]
    assert read() == []
    press(mission, "5")
    assert read() == ["5"]


def test_a_new_consumer_begins_at_the_first_event_or_at_the_next(mission):
    press(mission, "old")
    assert stream.register("all")
    assert not stream.register("all", from_now=True)  # it stays where it is
    settle()
    assert stream.register("new", from_now=True)
    press(mission, "new")
    settle()
    seen = {"all": [], "new": []}
    for name, found in seen.items():
        stream.consume(name, found.extend)
    assert [one.event.event_type for one in seen["all"]] == ["session.created", *["session.controlled"] * 2]
    assert [one.event.control for one in seen["new"]] == ["new"]


def test_a_transaction_that_begins_first_and_commits_last_is_not_skipped(mission):
    other = make_mission()
    read_first, has_written = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            store.record(SessionControlled(control="slow"), other, actor=SYSTEM)
            has_written.set()
            assert read_first.wait(60)

    stream.forget("bell")
    settle()
    stream.register("bell", from_now=True)
    thread = threading.Thread(target=lambda: at_once(slow))
    thread.start()
    assert has_written.wait(60)
    press(mission, "quick")
    assert read_now() == []  # what is committed waits for what may still come before it
    read_first.set()
    thread.join()
    assert read() == ["slow", "quick"]


def test_events_of_one_transaction_come_in_the_order_of_writing(mission):
    approval = new_id()
    with transaction.atomic():
        store.record(SessionControlled(control="first"), mission, actor=SYSTEM)
        asked = ApprovalRequested(session_id=mission.pk, tool_name="t", risk="low", digest="d")
        store.record(asked, mission, actor=SYSTEM, aggregate_id=approval)
        store.record(SessionControlled(control="third"), mission, actor=SYSTEM)
    settle()
    found = []
    while stream.consume("bell", found.extend, most=1):
        pass
    assert [one.aggregate_id for one in found] == [mission.pk, approval, mission.pk]
    assert [one.version for one in found] == [2, 1, 3]


def test_a_crash_before_the_offset_is_committed_brings_the_same_events_again(mission):
    press(mission, "pause")

    def write_and_die(events):
        AgentSession.objects.filter(pk=mission.pk).update(activity="half done")
        raise ZeroDivisionError

    settle()
    with pytest.raises(ZeroDivisionError):
        stream.consume("bell", write_and_die)
    mission.refresh_from_db()
    assert mission.activity == ""  # its own writes went with it
    assert read() == ["pause"]


def test_what_a_consumer_writes_is_committed_with_its_offset(mission):
    press(mission, "pause")

    def keep(events):
        AgentSession.objects.filter(pk=mission.pk).update(activity=events[0].event.control)

    settle()
    assert stream.consume("bell", keep) == 1
    mission.refresh_from_db()
    assert mission.activity == "pause"
    assert read() == []


def test_of_two_instances_of_a_consumer_one_works(mission):
    for number in range(20):
        press(mission, str(number))
    settle()
    working, looked = threading.Event(), threading.Event()
    found = []

    def slowly(events):
        working.set()
        assert looked.wait(60)
        found.extend(one.event.control for one in events)

    def second():
        assert working.wait(60)
        try:
            return stream.consume("bell", lambda events: found.append("twice"))
        finally:
            looked.set()

    assert at_once(partial(stream.consume, "bell", slowly), second) == [20, 0]
    assert found == [str(number) for number in range(20)]


def write(mission) -> None:
    for number in range(15):
        press(mission, f"{mission.pk} {number}")


def test_many_writers_and_readers_at_once_lose_and_double_nothing(mission):
    others = [make_mission() for _ in range(3)]
    stream.forget("bell")
    settle()
    stream.register("bell", from_now=True)
    found, done = [], threading.Event()

    def keep_reading() -> None:
        while not done.wait(0.01):
            stream.consume("bell", lambda events: found.extend(controls(events)), most=7)

    readers = [threading.Thread(target=lambda: at_once(keep_reading)) for _ in range(2)]
    for thread in readers:
        thread.start()
    assert at_once(*[partial(write, one) for one in others]) == [None] * 3
    done.set()
    for thread in readers:
        thread.join()
    while more := read():
        found += more
    assert len(found) == 45
    for one in others:  # each aggregate's in its own order
        assert [text for text in found if str(one.pk) in text] == [f"{one.pk} {number}" for number in range(15)]


def test_an_event_that_nobody_can_read_is_not_passed_over(mission):
    press(mission, "pause")
    AgentEvent.objects.filter(event_type="session.controlled").update(event_type="session.danced")
    for _ in range(2):
        with pytest.raises(UnknownEvent, match=r"session\.danced"):
            read()
    AgentEvent.objects.filter(event_type="session.danced").update(event_type="session.controlled")
    assert read() == ["pause"]


def test_a_consumer_that_nobody_registered_is_an_error(mission):
    stream.forget("bell")
    with pytest.raises(NotFound, match="bell"):
        read()
