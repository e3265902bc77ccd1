"""Memories: kept once, with their origin and events, forgotten, expired."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.db import IntegrityError
from django.utils import timezone

from agents.actor import person
from agents.errors import InvalidInput, NotFound
from agents.events.store import first_break
from agents.models import AgentEvent
from memory import embedders
from memory.models import AgentMemory, MissionPassage
from memory.services import memories, sources
from memory.services.memories import Note
from memory.services.sources import Draft
from memory.words import MemoryType
from tests.factories import make_mission, make_project, make_user
from tests.memory.test_sources import LIMITS
from tests.races import at_once

pytestmark = pytest.mark.django_db

TEXT = "Bees dance an eight to say where flowers are."


def note(text: str = TEXT, **fields: Any) -> Note:
    given: dict[str, Any] = {"memory_type": MemoryType.SEMANTIC, "importance": 0.7} | fields
    return Note(text=text, **given)


def changes(memory: AgentMemory) -> list[str]:
    found = AgentEvent.objects.filter(aggregate_id=memory.pk).order_by("version")
    return [event.event_data["change"] for event in found]


@pytest.fixture
def session():
    return make_mission()


def test_a_memory_has_its_text_vector_and_origin(session):
    execution_id = uuid4()
    memory = memories.remember(session, note(namespace=("bees", "dance"), execution_id=execution_id))
    memory.refresh_from_db()
    assert (memory.project_id, memory.session_id, memory.user_id) == (session.project_id, session.pk, session.user_id)
    assert (memory.content_text, memory.memory_type, memory.importance_score) == (TEXT, "semantic", 0.7)
    assert (memory.namespace, memory.execution_id) == (["bees", "dance"], execution_id)
    assert np.allclose(memory.content_vector, embedders.active().embed([TEXT])[0], atol=1e-6)
    assert memory.embedder == embedders.active().name


def test_remembering_is_an_event_of_the_mission_without_the_text(session):
    memory = memories.remember(session, note())
    event = AgentEvent.objects.get(aggregate_id=memory.pk)
    assert (event.event_type, event.aggregate_type) == ("memory.changed", "memory")
    assert event.correlation_id == session.root_id
    assert event.metadata["actor"] == f"agent:{session.pk}"
    assert "dance" not in str(event.event_data)
    assert event.event_data["digest"] == memory.content_hash


def test_the_same_text_stands_once_and_keeps_its_first_origin(session):
    first = memories.remember(session, note())
    other = make_mission(session.project, session.user)
    again = memories.remember(other, note(f"  {TEXT}\n", importance=0.1))
    assert again.pk == first.pk
    assert again.session_id == session.pk
    assert changes(first) == ["remembered"]


def test_namespaces_and_projects_keep_the_same_text_apart(session):
    stranger = make_mission()
    kept = [
        memories.remember(session, note()),
        memories.remember(session, note(namespace=("a",))),
        memories.remember(session, note(namespace=("a", "b"))),
        memories.remember(stranger, note()),
    ]
    assert len({memory.pk for memory in kept}) == 4


@pytest.mark.django_db(transaction=True)
def test_many_agents_that_learn_the_same_at_once_keep_it_once():
    user = make_user()
    project = make_project(user)
    missions = [make_mission(project, user) for _ in range(6)]
    embedders.active().embed([TEXT])
    outcomes = at_once(*[lambda mission=mission: memories.remember(mission, note()).pk for mission in missions])
    assert len(set(outcomes)) == 1
    memory = AgentMemory.objects.get()
    assert changes(memory) == ["remembered"]
    assert first_break(memory.pk) is None


def test_the_passage_that_says_it_is_kept_and_goes_with_its_source(session):
    draft = Draft(uuid4(), session.project, session.user, max_sources=1)
    sources.stage(draft, "bees.md", TEXT.encode(), limits=LIMITS)
    passage = MissionPassage.objects.get()
    memory = memories.remember(session, note(passage_id=passage.pk))
    assert memory.passage_id == passage.pk
    sources.unstage(passage.source_id, draft_id=draft.draft_id, user=session.user)
    memory.refresh_from_db()
    assert memory.passage_id is None


def test_a_passage_of_another_project_is_no_origin(session):
    stranger = make_mission()
    draft = Draft(uuid4(), stranger.project, stranger.user, max_sources=1)
    sources.stage(draft, "bees.md", TEXT.encode(), limits=LIMITS)
    for passage_id in (MissionPassage.objects.get().pk, uuid4()):
        with pytest.raises(InvalidInput):
            memories.remember(session, note(passage_id=passage_id))


@pytest.mark.parametrize("text", ["", " \n\t", "\0"])
def test_nothing_is_not_remembered(session, text):
    with pytest.raises(InvalidInput):
        memories.remember(session, note(text))
    assert not AgentMemory.objects.exists()


def test_what_the_database_cannot_hold_is_taken_out(session):
    assert memories.remember(session, note("a\0 bee \ud800")).content_text == "a bee ?"


@pytest.mark.parametrize("importance", [-0.01, 1.01])
def test_the_database_refuses_importance_beyond_its_range(session, importance):
    with pytest.raises(IntegrityError):
        memories.remember(session, note(importance=importance))


def test_forgetting_leaves_the_events_and_nothing_else(session):
    memory = memories.remember(session, note())
    memories.forget(memory.pk, actor=person(session.user_id))
    assert not AgentMemory.objects.exists()
    assert changes(memory) == ["remembered", "forgotten"]
    assert AgentEvent.objects.filter(aggregate_id=memory.pk).last().metadata["actor"] == f"person:{session.user_id}"
    assert first_break(memory.pk) is None


def test_what_is_gone_cannot_be_forgotten_again(session):
    memory = memories.remember(session, note())
    memories.forget(memory.pk, actor=person(session.user_id))
    with pytest.raises(NotFound):
        memories.forget(memory.pk, actor=person(session.user_id))
    assert changes(memory) == ["remembered", "forgotten"]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_forget_at_once_one_finds_it_gone():
    session = make_mission()
    memory = memories.remember(session, note())
    forget = lambda: memories.forget(memory.pk, actor=person(session.user_id))  # noqa: E731 - twice the same
    outcomes = at_once(forget, forget)
    assert sorted(str(type(outcome)) for outcome in outcomes) == sorted(map(str, [type(None), NotFound]))
    assert changes(memory) == ["remembered", "forgotten"]


def test_a_memory_whose_agent_is_gone_can_be_forgotten(session):
    memory = memories.remember(session, note())
    AgentMemory.objects.filter(pk=memory.pk).update(session=None)
    memories.forget(memory.pk, actor=person(session.user_id))
    assert changes(memory) == ["remembered", "forgotten"]


def test_only_what_has_expired_is_dropped(session):
    now = timezone.now()
    past = memories.remember(session, note("one", expires_at=now - timedelta(seconds=1)))
    kept = [
        memories.remember(session, note("two", expires_at=now + timedelta(hours=1))),
        memories.remember(session, note("three")),
    ]
    assert memories.drop_expired() == 1
    assert {memory.pk for memory in AgentMemory.objects.all()} == {memory.pk for memory in kept}
    assert changes(past) == ["remembered", "expired"]
    assert memories.drop_expired() == 0


def test_what_has_expired_is_remembered_anew(session):
    old = memories.remember(session, note(expires_at=timezone.now() - timedelta(days=1)))
    new = memories.remember(session, note())
    assert new.pk != old.pk
    assert AgentMemory.objects.get() == new
    assert changes(old) == ["remembered", "expired"]
