"""Starting a mission: bad input is named beside its field and loses nothing, and a draft becomes one mission."""

from functools import partial

import pytest

from agents.errors import Forbidden, InvalidInput, NotFound
from agents.ids import new_id
from agents.models import AgentSession, AuditEntry
from agents.roles import Role
from memory.documents import Limits
from memory.models import MissionSource
from memory.services import sources
from orchestrator.actions import missions
from tests.factories import make_member, make_project, make_user
from tests.races import at_once

TEXT = b"The sweeper looks once a second. It puts each orphaned session back into the queue."


@pytest.fixture
def project(db):
    return make_project()


@pytest.fixture
def operator(project):
    return make_member(project, Role.OPERATOR)


def stage(project, user):
    draft = sources.Draft(new_id(), project, user, 10)
    sources.stage(draft, "sweeper.txt", TEXT, limits=Limits(max_bytes=10_000))
    return draft.draft_id


def start(user, project, draft_id, objective="How are lost agents found?", model=""):
    return missions.start(user, project.pk, draft_id=draft_id, objective=objective, model=model)


def test_a_mission_takes_its_draft_s_sources_over(project, operator):
    mission = start(operator, project, stage(project, operator))
    assert (mission.status, mission.level, mission.user) == ("queued", "queen", operator)
    assert [source.name for source in MissionSource.objects.of_mission(mission.pk)] == ["sweeper.txt"]
    assert AuditEntry.objects.get().action == "mission.start"


def test_the_same_draft_twice_is_one_mission(project, operator):
    draft_id = stage(project, operator)
    assert start(operator, project, draft_id).pk == start(operator, project, draft_id).pk


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_one_mission():
    project = make_project()
    operator = make_member(project, Role.OPERATOR)
    draft_id = stage(project, operator)
    first, second = at_once(*[partial(start, operator, project, draft_id)] * 2)
    assert isinstance(first, AgentSession), first
    assert isinstance(second, AgentSession), second
    assert first.pk == second.pk
    assert AgentSession.objects.count() == 1


@pytest.mark.parametrize(
    ("objective", "words"),
    [("", "Say what"), (" \n ", "Say what"), ("x" * 4001, "4,001"), ("a\0b", "cannot be stored")],
)
def test_a_bad_objective_is_named_and_the_sources_stay(project, operator, objective, words):
    draft_id = stage(project, operator)
    with pytest.raises(InvalidInput) as caught:
        start(operator, project, draft_id, objective=objective)
    assert words in caught.value.data["fields"]["objective"]
    assert MissionSource.objects.get().draft_id == draft_id
    assert not AgentSession.objects.exists()


def test_everything_that_is_wrong_is_said_at_once(project, operator):
    with pytest.raises(InvalidInput) as caught:
        start(operator, project, new_id(), objective="", model="nobody:knows")
    assert set(caught.value.data["fields"]) == {"objective", "sources", "model"}


def test_another_s_draft_is_not_there(project, operator):
    other = make_member(project, Role.OPERATOR)
    with pytest.raises(InvalidInput) as caught:
        start(other, project, stage(project, operator))
    assert "sources" in caught.value.data["fields"]


def test_strangers_find_nothing_and_viewers_may_not(project):
    draft_id = new_id()
    with pytest.raises(NotFound):
        start(make_user(), project, draft_id)
    with pytest.raises(Forbidden, match="operator"):
        start(make_member(project, Role.VIEWER), project, draft_id)


@pytest.mark.parametrize(
    ("objective", "title"),
    [
        ("How are lost agents found?", "How are lost agents found?"),
        ("Compare them. Then say which is best.", "Compare them"),
        (
            "What happens when a process dies, and how are approvals decided exactly once, and who decides them?",
            "What happens when a process dies, and how are approvals decided exactly once",
        ),
        ("word " * 40, ("word " * 16).strip() + "…"),
        ("x" * 200, "x" * 80 + "…"),
    ],
)
def test_a_title_is_the_first_sentence_or_clause(objective, title):
    assert missions.title_of(objective) == title
