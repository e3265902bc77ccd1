"""Who expects a version of an aggregate appends to that one, or not at all."""

from functools import partial

import pytest
from django.db import transaction

from agents.actor import SYSTEM
from agents.errors import HeadMoved, StaleVersion
from agents.events import store
from agents.events.store import Entry
from agents.events.types import SessionControlled
from agents.ids import new_id
from agents.models import AgentEvent
from tests.factories import make_mission
from tests.races import at_once

EVENT = SessionControlled(control="pause")


def append(mission, expected, **more):
    with transaction.atomic():
        return store.record(EVENT, mission, actor=SYSTEM, expected_version=expected, **more)


@pytest.mark.django_db
def test_the_version_that_is_there_is_appended_to():
    mission = make_mission()
    append(mission, 1)
    append(mission, 2)
    assert [one.version for one in store.load(mission.pk)] == [1, 2, 3]
    assert store.first_break(mission.pk) is None


@pytest.mark.django_db
@pytest.mark.parametrize("expected", [0, 2, 7])
def test_another_version_is_refused_and_named(expected):
    mission = make_mission()
    with pytest.raises(HeadMoved) as caught:
        append(mission, expected)
    assert isinstance(caught.value, StaleVersion)
    assert caught.value.data == {"aggregate_id": mission.pk, "expected": expected, "version": 1}
    assert AgentEvent.objects.filter(aggregate_id=mission.pk).count() == 1


@pytest.mark.django_db
def test_a_new_aggregate_is_at_version_0():
    mission, fresh = make_mission(), new_id()
    with pytest.raises(HeadMoved):
        append(mission, 1, aggregate_id=fresh)
    append(mission, 0, aggregate_id=fresh)
    assert [one.version for one in store.load(fresh)] == [1]


@pytest.mark.django_db(transaction=True)
def test_when_one_of_several_is_refused_none_is_written_and_nobody_hears(monkeypatch):
    heard = []
    missions = sorted((make_mission() for _ in range(3)), key=lambda one: one.pk)
    monkeypatch.setattr(store, "_listeners", [heard.extend])
    expected = [1, None, 5]
    with transaction.atomic():
        with pytest.raises(HeadMoved):
            store.record_all(
                Entry(EVENT, one.pk, one.project_id, one.pk, SYSTEM, expected_version=version)
                for one, version in zip(missions, expected, strict=True)
            )
        assert AgentEvent.objects.count() == 3  # the transaction goes on
    assert AgentEvent.objects.count() == 3
    assert heard == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_new", [True, False])
def test_of_many_writers_who_expect_the_same_version_one_appends(is_new):
    mission = make_mission()
    aggregate = new_id() if is_new else mission.pk
    outcomes = at_once(*[partial(append, mission, 0 if is_new else 1, aggregate_id=aggregate)] * 8)
    assert sum(isinstance(one, HeadMoved) for one in outcomes) == 7, outcomes
    assert AgentEvent.objects.filter(aggregate_id=aggregate).count() == (1 if is_new else 2)
    assert store.first_break(aggregate) is None
