"""Finding passages and memories: against a count by hand, and in other words than the text."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.utils import timezone

from agents.models import AgentSession
from memory import embedders, search, selectors
from memory.models import AgentMemory, MissionPassage
from memory.search import MemoryFilter
from memory.services import memories, sources
from memory.services.memories import Note
from memory.services.sources import Draft
from memory.words import MemoryType
from tests.agents.bees import TEXTS
from tests.factories import make_mission, make_project, make_user
from tests.memory.test_sources import LIMITS

pytestmark = pytest.mark.django_db

# word by word as a search reads them: no endings to take off, none that any text has
FACTS = [
    "drone moth hive",
    "moth lamp hive honey",
    "honey wax",
    "glacier ice snow",
    "wax lamp oil",
    "hive drone queen honey wax",
]


def remember(session: AgentSession, text: str, **fields: Any) -> AgentMemory:
    given: dict[str, Any] = {"memory_type": MemoryType.SEMANTIC, "importance": 0.5} | fields
    return memories.remember(session, Note(text=text, **given))


def found(project_id: UUID, query: str, chosen: MemoryFilter | None = None, limit: int = 20) -> list[str]:
    hits = search.memories(project_id, query, limit, chosen)
    texts = dict(AgentMemory.objects.values_list("pk", "content_text"))
    return [texts[hit.memory_id] for hit in hits]


@pytest.fixture
def session():
    return make_mission()


def cosine(one: str, other: str) -> float:
    first, second = embedders.active().embed([one, other]).astype(np.float64)
    return float(first @ second)


# Memories


def test_scores_and_their_parts_are_as_counted_by_hand(session):
    query = "honey wax drone"
    now = timezone.now()
    expected = {}
    for number, text in enumerate(FACTS):
        importance, days = number / 10, 15 * number
        memory = remember(session, text, importance=importance)
        AgentMemory.objects.filter(pk=memory.pk).update(created_at=now - timedelta(days=days))
        shared = len(set(query.split()) & set(text.split())) / 3
        expected[memory.pk] = (0.6 * cosine(query, text), 0.15 * shared, 0.1 * 0.5 ** (days / 30), 0.15 * importance)
    hits = search.memories(session.project_id, query, 20)
    bearing = {pk for pk, parts in expected.items() if parts[0] >= 0.6 * 0.2 or parts[1] >= 0.15 * 0.5}
    assert {hit.memory_id for hit in hits} == bearing
    for hit in hits:
        parts = (hit.meaning, hit.words, hit.recency, hit.importance)
        assert parts == pytest.approx(expected[hit.memory_id], abs=1e-5)
        assert hit.score == pytest.approx(sum(parts))
        assert 0 <= hit.score <= 1
    assert [hit.memory_id for hit in hits] == sorted(bearing, key=lambda pk: -sum(expected[pk]))


def test_a_question_in_other_words_than_the_text_finds_it(session):
    texts = [
        "Foragers tell their sisters by a dance in which direction nectar is to be found.",
        "Honey does not spoil, because hardly any water is left in it.",
        "The parliament passed the budget after a long night.",
        "A colony that has lost its queen feeds a larva until it becomes a new one.",
    ]
    for text in texts:
        remember(session, text)
    assert found(session.project_id, "How do bees show each other the way to food?")[0] == texts[0]
    assert found(session.project_id, "Why does it keep for years without going bad?")[0] == texts[1]
    assert found(session.project_id, "What do insects do when their mother dies?")[0] == texts[3]


def test_what_has_nothing_to_do_with_the_question_is_not_found(session):
    remember(session, "The parliament passed the budget after a long night.", importance=1.0)
    assert found(session.project_id, "How do bees find flowers?") == []


def test_a_rare_name_is_found_by_its_letters(session):
    remember(session, "Ticket QX-7731 was closed.")
    remember(session, "Ticket QX-7739 is open.")
    assert found(session.project_id, "QX-7739")[0] == "Ticket QX-7739 is open."


def test_endings_do_not_matter(session):
    memory = remember(session, "Claimed sessions are fenced.")
    (hit,) = search.memories(session.project_id, "claiming a fence", 5)
    assert hit.memory_id == memory.pk
    assert hit.words == pytest.approx(0.15)


def test_another_project_finds_nothing(session):
    remember(session, FACTS[0])
    assert found(make_project().pk, FACTS[0]) == []


def test_what_has_expired_is_not_found(session):
    remember(session, FACTS[0], expires_at=timezone.now() - timedelta(seconds=1))
    kept = remember(session, FACTS[5], expires_at=timezone.now() + timedelta(hours=1))
    assert found(session.project_id, "drone hive") == [kept.content_text]
    browsed = selectors.find(session.project_id, "", MemoryFilter(), 10)
    assert [one.memory.pk for one in browsed] == [kept.pk]


@pytest.mark.parametrize("query", ["drone moth hive honey wax lamp", ""])
def test_each_filter_leaves_out_the_others(session, query):
    other_user = make_user()
    other = make_mission(session.project, other_user)
    old = remember(session, FACTS[0], memory_type=MemoryType.EPISODIC, importance=0.9, namespace=("a", "b"))
    new = remember(other, FACTS[1], importance=0.2, namespace=("a",))
    AgentMemory.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=10))

    def chosen(**fields: Any) -> set[UUID]:
        return {one.memory.pk for one in selectors.find(session.project_id, query, MemoryFilter(**fields), 10)}

    assert chosen() == {old.pk, new.pk}
    assert chosen(memory_type="episodic") == {old.pk}
    assert chosen(memory_type="semantic") == {new.pk}
    assert chosen(namespace=("a",)) == {old.pk, new.pk}
    assert chosen(namespace=("a", "b")) == {old.pk}
    assert chosen(namespace=("b",)) == set()
    assert chosen(user_id=other_user.pk) == {new.pk}
    assert chosen(mission_id=session.root_id) == {old.pk}
    assert chosen(least_importance=0.5) == {old.pk}
    assert chosen(since=timezone.now() - timedelta(days=1)) == {new.pk}
    assert chosen(memory_type="episodic", user_id=other_user.pk) == set()


def test_filters_come_before_the_limit(session):
    """Ten near memories of one type do not hide the far one of another."""
    for number in range(10):
        remember(session, f"drone moth hive {number}")
    far = remember(session, "hive lamp oil", memory_type=MemoryType.PROCEDURAL)
    assert found(session.project_id, "drone moth hive", MemoryFilter(memory_type="procedural"), limit=1) == [
        far.content_text
    ]


@pytest.mark.parametrize(
    "query",
    ["", "\0", "'; DROP TABLE agent_memory; --", "%s %(x)s", "\ud800", "& | ! ( <->", "the of and", "\\", "x" * 5000],
)
def test_any_query_is_answered(session, query):
    remember(session, FACTS[0])
    search.memories(session.project_id, query, 5)
    search.passages(session.pk, query, 5)
    assert AgentMemory.objects.count() == 1


# Passages


@pytest.fixture
def mission():
    user = make_user()
    draft = Draft(uuid4(), make_project(user), user, max_sources=10)
    for name, text in TEXTS.items():
        sources.stage(draft, name, text.encode(), limits=LIMITS)
    mission = make_mission(draft.project, user)
    sources.adopt(draft.draft_id, mission, user=user)
    sources.embed_pending(mission.pk, lambda *_: None)
    return mission


def test_passages_are_ordered_as_counted_by_hand(mission):
    query = "nectar water honey"
    expected = {}
    for passage in MissionPassage.objects.filter(source__session=mission):
        words = re.findall("[a-z]+", f"{passage.heading} {passage.content}".lower())
        shared = sum(word in words for word in query.split()) / 3
        expected[passage.pk] = 0.85 * max(cosine(query, f"{passage.heading}\n{passage.content}"), 0) + 0.15 * shared
    hits = search.passages(mission.pk, query, 100)
    assert {hit.passage_id: hit.score for hit in hits} == pytest.approx(expected, abs=1e-4)
    assert [hit.passage_id for hit in hits] == sorted(expected, key=lambda pk: -expected[pk])


@pytest.mark.parametrize(
    ("query", "heading"),
    [
        ("insects show each other the way to food", "The waggle dance \u203a Followers"),
        ("the mother of all of them passes away", "The queen \u203a When she dies"),
        ("why does it not go bad", "How honey is made \u203a Keeping"),
        ("how a group decides on a new place to live", "The waggle dance \u203a Swarms"),
    ],
)
def test_a_passage_is_found_by_its_meaning(mission, query, heading):
    nearest = [MissionPassage.objects.get(pk=hit.passage_id).heading for hit in search.passages(mission.pk, query, 2)]
    assert heading in nearest


def test_passages_of_other_missions_are_not_found(mission):
    other = make_mission(mission.project, mission.user)
    assert search.passages(other.pk, "bees", 10) == []


def test_a_passage_without_a_vector_is_not_found_yet(mission):
    MissionPassage.objects.filter(source__session=mission).update(content_vector=None)
    assert search.passages(mission.pk, "bees", 10) == []


def test_the_limit_holds(mission):
    assert len(search.passages(mission.pk, "bees", 3)) == 3
