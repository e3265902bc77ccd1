"""Facts reach the stream after the commit, and Redis is never in its way."""

import time
from typing import cast
from uuid import uuid4

import pytest
from django.db import transaction
from redis.exceptions import ConnectionError as RedisConnectionError

from agents.actor import SYSTEM
from agents.lifecycle import SessionStatus
from agents.models import AgentSession
from agents.services import sessions
from orchestrator import shared
from orchestrator.realtime import feed
from orchestrator.realtime.feed import Fact, from_fields
from tests.factories import make_mission


def fact(number: int = 1) -> Fact:
    return Fact("session.moved", f"session:{number}", "mission", f"event{number}")


def facts_of(project_id) -> list[Fact]:
    return [
        from_fields(fields)
        for _, fields in cast("list[tuple[str, dict[str, str]]]", feed.connection().xrange(feed.stream(project_id)))
    ]


def test_a_fact_survives_the_stream():
    project = uuid4()
    assert feed.publish([(project, fact())])
    assert facts_of(project) == [fact()]


def test_each_project_has_a_stream_of_its_own():
    one, other = uuid4(), uuid4()
    feed.publish([(one, fact(1)), (other, fact(2))])
    assert facts_of(one) == [fact(1)]
    assert facts_of(other) == [fact(2)]


def test_a_stream_is_trimmed():
    project = uuid4()
    for _ in range(4):
        feed.publish((project, fact(number)) for number in range(feed.KEPT // 2))
    assert feed.connection().xlen(feed.stream(project)) < feed.KEPT * 1.1


def test_the_cursor_is_the_latest_entry_or_the_start():
    project = uuid4()
    assert feed.cursor(project) == feed.START
    feed.publish([(project, fact())])
    assert feed.cursor(project) == feed.connection().xinfo_stream(feed.stream(project))["last-generated-id"]


@pytest.mark.django_db(transaction=True)
def test_a_change_is_told_after_its_commit_with_ids_and_statuses_only():
    mission = make_mission(goal="A secret objective")
    told = facts_of(mission.project_id)
    assert [(one.type, one.key, one.mission) for one in told] == [
        ("session.created", f"session:{mission.pk}", str(mission.pk))
    ]
    assert "secret" not in str(told)


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_is_not_told():
    mission = make_mission()
    with pytest.raises(RuntimeError), transaction.atomic():
        sessions.move(sessions.lock(mission.pk), SessionStatus.RUNNING, actor=SYSTEM)
        raise RuntimeError
    assert [one.type for one in facts_of(mission.project_id)] == ["session.created"]


@pytest.mark.django_db(transaction=True)
def test_a_commit_goes_through_while_redis_is_away(redis_away):
    mission = make_mission()
    assert AgentSession.objects.filter(pk=mission.pk).exists()
    assert feed.cursor(mission.project_id) == feed.START


def test_a_dead_redis_is_not_asked_again_until_a_pause_is_over(redis_away, monkeypatch):
    attempts = []
    monkeypatch.setattr(feed.connection(), "pipeline", lambda **_: attempts.append(1) or refuse())
    feed.publish([(uuid4(), fact())])
    feed.publish([(uuid4(), fact())])
    assert len(attempts) == 1
    later = time.monotonic() + shared.PAUSE
    monkeypatch.setattr(time, "monotonic", lambda: later)
    feed.publish([(uuid4(), fact())])
    assert len(attempts) == 2


def refuse():
    raise RedisConnectionError
