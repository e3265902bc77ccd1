"""Every type of event is read back as it was written, and old versions are raised to today's."""

import types as python_types
import typing
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import transaction

from agents.actor import SYSTEM
from agents.errors import UnknownEvent
from agents.events import store, types, upcasting
from agents.events.types import KINDS, Event, SessionControlled
from agents.ids import new_id
from agents.models import AgentEvent
from tests.factories import make_mission

EXAMPLES = {str: lambda: "“ü” \U0001f41d \\", int: lambda: 2**40, UUID: new_id, bool: lambda: True}


def example(hint):
    """A value of an annotation. No floats: equal ones might not give equal bytes, and a hash covers them."""
    if isinstance(hint, python_types.UnionType):
        hint = next(one for one in typing.get_args(hint) if one is not python_types.NoneType)
    if typing.get_origin(hint) is list:
        return [example(typing.get_args(hint)[0]) for _ in range(2)]
    if typing.get_origin(hint) is dict:
        return {example(one): example(other) for one, other in [typing.get_args(hint)]}
    return EXAMPLES[hint]()


def made(kind: type[Event]) -> Event:
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: example(hints[field.name]) for field in fields(kind)})


def emptied(kind: type[Event]) -> Event:
    """With None wherever a field may be None."""
    hints = typing.get_type_hints(kind)
    nones = {field.name: None for field in fields(kind) if python_types.NoneType in typing.get_args(hints[field.name])}
    return kind(**{**{field.name: getattr(made(kind), field.name) for field in fields(kind)}, **nones})


def write(event: Event, mission, **more) -> UUID:
    with transaction.atomic():
        return store.record(event, mission, actor=SYSTEM, **more)


def test_every_class_of_an_event_is_known_by_its_name():
    defined = {
        one.event_type
        for one in vars(types).values()
        if isinstance(one, type) and issubclass(one, Event) and one is not Event
    }
    assert defined
    assert defined <= KINDS.keys()
    assert all(KINDS[name].event_type == name for name in defined)


def test_two_types_cannot_have_one_name():
    with pytest.raises(TypeError, match=r"session\.said"):

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Shouted(Event):
            event_type = "session.said"

    assert KINDS["session.said"] is types.SessionSaid


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_is_written_is_read_back_equal(name):
    mission, aggregate = make_mission(), new_id()
    for event in (made(KINDS[name]), emptied(KINDS[name])):
        event_id = write(event, mission, aggregate_id=aggregate)
        (read,) = [one for one in store.load(aggregate) if one.event_id == event_id]
        assert read.event == event
        assert type(read.event) is KINDS[name]
        assert (read.actor, read.mission_id, read.aggregate_id) == ("system", mission.pk, aggregate)
    assert store.first_break(aggregate) is None


@pytest.fixture
def moved_on():
    """A kind whose fields changed twice."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Waggled(Event):
        event_type = "test.waggled"
        schema = 3
        direction: int
        metres: int

    yield Waggled
    del KINDS["test.waggled"]


@pytest.fixture
def upcasters(monkeypatch):
    monkeypatch.setattr(upcasting, "_UPCASTERS", {})

    @upcasting.upcaster("test.waggled", 1)
    def _named(data):
        return {"direction": data["where"], "kilometres": data["far"]}

    @upcasting.upcaster("test.waggled", 2)
    def _metric(data):
        return {"direction": data["direction"], "metres": data["kilometres"] * 1000}


def test_old_versions_are_raised_step_by_step(moved_on, upcasters):
    new = moved_on(direction=90, metres=2000)
    assert upcasting.typed("test.waggled", 1, {"where": 90, "far": 2}) == new
    assert upcasting.typed("test.waggled", 2, {"direction": 90, "kilometres": 2}) == new
    assert upcasting.typed("test.waggled", 3, {"direction": 90, "metres": 2000}) == new


@pytest.mark.django_db
def test_the_version_is_stored_and_the_hash_covers_it(moved_on, upcasters):
    mission = make_mission()
    event_id = write(moved_on(direction=1, metres=2), mission)
    assert AgentEvent.objects.get(pk=event_id).metadata == {"actor": "system", "schema": 3}
    assert list(store.load(mission.pk))[-1].event == moved_on(direction=1, metres=2)
    AgentEvent.objects.filter(pk=event_id).update(metadata={"actor": "system", "schema": 2})
    assert store.first_break(mission.pk) == 2


@pytest.mark.parametrize(
    ("event_type", "schema", "data", "words"),
    [
        ("session.danced", 1, {}, "session.danced"),
        ("session.said", 2, {"message_id": str(new_id()), "digest": "d"}, "versions 1 to 1 here, not 2"),
        ("session.said", 0, {"message_id": str(new_id()), "digest": "d"}, "not 0"),
        ("test.waggled", 1, {"where": 1}, "Nothing raises version 1"),
        ("session.said", 1, {"message_id": str(new_id())}, "digest"),
        ("session.said", 1, {"message_id": "me", "digest": "d"}, "message_id"),
        ("session.said", 1, {"message_id": str(new_id()), "digest": "d", "volume": 11}, "has no volume"),
    ],
)
def test_what_is_not_known_is_an_error_that_says_so(moved_on, event_type, schema, data, words):
    with pytest.raises(UnknownEvent, match=words):
        upcasting.typed(event_type, schema, data)


@pytest.mark.django_db
def test_an_unknown_event_is_never_passed_over():
    mission = make_mission()
    write(SessionControlled(control="pause"), mission)
    AgentEvent.objects.filter(aggregate_id=mission.pk, version=1).update(event_type="session.hatched")
    with pytest.raises(UnknownEvent, match=r"session\.hatched"):
        list(store.load(mission.pk))


@pytest.mark.django_db
def test_events_are_loaded_behind_and_up_to_a_version_or_time():
    mission = make_mission()
    for control in ("pause", "", "cancel"):
        write(SessionControlled(control=control), mission)
    third = AgentEvent.objects.get(aggregate_id=mission.pk, version=3)

    def versions(**limits):
        return [one.version for one in store.load(mission.pk, **limits)]

    assert versions() == [1, 2, 3, 4]
    assert versions(after=2) == [3, 4]
    assert versions(until_version=3) == [1, 2, 3]
    assert versions(after=1, until_version=2) == [2]
    assert versions(until_time=third.timestamp) == [1, 2, 3]
    assert versions(until_time=datetime.now(UTC) + timedelta(days=1)) == [1, 2, 3, 4]
    assert versions(until_time=datetime(2000, 1, 1, tzinfo=UTC)) == []
    assert list(store.load(new_id())) == []
