"""What agents remember, found, explained and traced; a source at the passage that is cited."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from memory.models import AgentMemory, MissionPassage, MissionSource
from memory.selectors import AROUND
from memory.services import memories
from memory.services.memories import Note
from memory.words import MemoryType, SourceOrigin
from tests.factories import make_mission

pytestmark = pytest.mark.django_db
SULFUR = "Argyrodites lose sulfur as hydrogen sulfide within minutes of contact with moisture."
BREAD = "Sourdough needs eight hours at room temperature before it goes into the oven."


@pytest.fixture
def mission(project, approver):
    return make_mission(project, approver)


@pytest.fixture
def source(mission, approver):
    source = MissionSource.objects.create(
        project=mission.project, user=approver, session=mission, name="notes <1>.md", media_type="text/markdown",
        origin=SourceOrigin.UPLOAD, sha256="a", size_bytes=5, text="words", words=1,
    )  # fmt: skip
    MissionPassage.objects.bulk_create(
        MissionPassage(
            project=mission.project, source=source, position=n, start=n, end=n + 1,
            content=f"Passage {n} says this.", page=n + 1,
        )
        for n in range(120)
    )  # fmt: skip
    return source


def remember(mission, text, kind=MemoryType.SEMANTIC, importance=0.5, **more) -> AgentMemory:
    return memories.remember(mission, Note(text, kind, importance, **more))


def found(client, query="") -> list[str]:
    text = client.get(f"/memory/{query}").content.decode()
    return re.findall(r'id="memory-([0-9a-f-]+)"', text)


def test_a_question_in_other_words_finds_what_was_remembered(page, mission):
    wanted = remember(mission, SULFUR)
    remember(mission, BREAD)
    assert found(page, "?q=what happens to the electrolyte in humid air")[0] == str(wanted.pk)


def test_a_hit_explains_its_score_and_marks_the_words(page, mission):
    remember(mission, SULFUR)
    text = page.get("/memory/?q=moistured sulfur").content.decode()
    total = float(re.search(r'class="total num">([\d.]+)', text)[1])
    parts = re.findall(
        r"(meaning|words|recency|importance) ([\d.]+)", re.search(r'aria-label="(meaning[^"]*)"', text)[1]
    )
    assert [name for name, _ in parts] == ["meaning", "words", "recency", "importance"]
    assert sum(float(share) for _, share in parts) == pytest.approx(total, abs=0.03)
    assert "<mark>moisture</mark>" in text and "<mark>sulfur</mark>" in text


def test_what_is_marked_stays_escaped(page, mission):
    remember(mission, "<script>alert(1)</script> sulfur & more")
    text = page.get("/memory/?q=script sulfur").content.decode()
    assert "&lt;<mark>script</mark>&gt;alert(1)" in text
    assert "<script>alert" not in text


def test_words_that_any_text_has_are_not_marked(page, mission):
    remember(mission, "What is the use of the usual policies?")
    text = page.get("/memory/?q=what is the use of a policy").content.decode()
    assert "What is the <mark>use</mark> of the usual <mark>policies</mark>?" in text


def test_without_a_question_the_newest_come_first(page, mission):
    one, two = remember(mission, SULFUR), remember(mission, BREAD)
    assert found(page) == [str(two.pk), str(one.pk)]


def test_filters_narrow_both_ways_of_looking(page, project, approver, mission):
    other = make_mission(project, approver)
    important = remember(mission, SULFUR, importance=0.9)
    episode = remember(other, f"Once: {SULFUR}", MemoryType.EPISODIC, 0.2)
    AgentMemory.objects.filter(pk=episode.pk).update(created_at=timezone.now() - timedelta(days=10))
    for query in ("", "q=sulfur&"):
        assert found(page, f"?{query}type=semantic") == [str(important.pk)]
        assert found(page, f"?{query}mission={other.pk}") == [str(episode.pk)]
        assert found(page, f"?{query}importance=50") == [str(important.pk)]
        assert found(page, f"?{query}age=7") == [str(important.pk)]
        assert set(found(page, f"?{query}age=30")) == {str(important.pk), str(episode.pk)}


@pytest.mark.parametrize(
    "query",
    [
        *("?type=x", "?mission=x", "?importance=x", "?age=x", "?q=%00", "?importance=9999", "?q=%27%22%3B--"),
        pytest.param(f"?importance={'9' * 5000}", id="more digits than Python reads"),
    ],
)
def test_nonsense_in_the_address_breaks_nothing(page, mission, query):
    remember(mission, SULFUR)
    assert page.get(f"/memory/{query}").status_code == 200


def test_another_projects_memories_are_never_found(stranger_page, mission):
    remember(mission, SULFUR)
    assert found(stranger_page) == found(stranger_page, "?q=sulfur") == []


def test_nothing_found_says_what_was_looked_through(page, mission):
    assert "Nothing is remembered in this project yet" in page.get("/memory/?q=garnet").content.decode()
    remember(mission, BREAD)
    text = page.get("/memory/?q=%22zzzz qqqq%22").content.decode()
    assert "1 memory was looked through" in text or found(page, "?q=%22zzzz qqqq%22")


def test_a_memory_leads_to_its_agent_mission_and_passage(page, mission, source):
    passage = source.passages.get(position=3)
    remember(mission, SULFUR, passage_id=passage.pk)
    text = page.get("/memory/").content.decode()
    for address in (f"/agents/{mission.pk}/", f"/missions/{mission.pk}/", f"/passages/{passage.pk}/"):
        assert f'href="{address}"' in text
    assert "notes &lt;1&gt;.md, page 4" in text


def test_the_page_takes_as_many_queries_for_many_memories_as_for_one(page, mission, django_assert_max_num_queries):
    remember(mission, SULFUR)
    page.get("/memory/?q=sulfur")
    with django_assert_max_num_queries(30) as one:
        page.get("/memory/?q=sulfur")
    for number in range(8):
        remember(mission, f"{SULFUR} Note {number}.")
    with django_assert_max_num_queries(len(one)):
        page.get("/memory/?q=sulfur")


# ------------------------------------------------------------------ sources


def test_a_citation_leads_to_its_passage_with_the_words_marked(page, source):
    passage = source.passages.get(position=60)
    answer = page.get(f"/passages/{passage.pk}/?quote=60  says")
    assert answer["Location"] == f"/sources/{source.pk}/?at=60&quote=60++says#p-60"
    text = page.get(answer["Location"].split("#")[0]).content.decode()
    current = re.search(r'<article class="passage" id="p-60" aria-current="true">.*?</article>', text, re.S)[0]
    assert "Passage <mark>60 says</mark> this." in current
    assert text.count("<mark>") == 1


def test_a_long_source_is_shown_around_the_passage_and_can_be_walked(page, source):
    text = page.get(f"/sources/{source.pk}/?at=60").content.decode()
    shown = list(map(int, re.findall(r'id="p-(\d+)"', text)))
    assert shown == list(range(60 - AROUND, 60 + AROUND + 1))
    before, after = re.findall(r'href="\?at=(\d+)"', text)
    for at in (before, after):
        more = list(map(int, re.findall(r'id="p-(\d+)"', page.get(f"/sources/{source.pk}/?at={at}").content.decode())))
        assert more != shown
        assert max(more) == 60 - AROUND - 1 or min(more) == 60 + AROUND + 1 or set(more) & {0, 119}


@pytest.mark.parametrize("at", ["", "x", "-5", "99999", "9" * 30])
def test_a_place_that_is_not_there_breaks_nothing(page, source, at):
    assert page.get(f"/sources/{source.pk}/?at={at}").status_code == 200


def test_a_quote_that_is_not_there_marks_nothing_and_is_no_pattern(page, source):
    text = page.get(f"/sources/{source.pk}/?at=0&quote=(.*)+").content.decode()
    assert "<mark>" not in text
    assert "Passage 0 says this." in text
