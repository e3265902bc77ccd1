"""The home page: counts, what waits, whether somebody listens."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.lifecycle import SessionStatus
from agents.models import Pruning
from agents.roles import Level
from orchestrator import presence
from orchestrator.web.render import MOST_REGIONS
from tests.factories import make_mission
from tests.orchestrator.web.situations import ask, delegate, end, run

pytestmark = pytest.mark.django_db


def counts(text: str) -> dict[str, int]:
    nav = text[text.index('id="counts"') : text.index("</nav>", text.index('id="counts"'))]
    return {name: int(n) for name, n in re.findall(r'data-s="(\w+)"[^>]*><span class="v">(\d+)', nav)}


def listen(redis_client, *levels: str) -> None:
    redis_client.setex(f"{presence._PREFIX}test", 10, str(list(levels)).replace("'", '"'))


def test_an_empty_project_says_what_to_do(page):
    text = page.get("/").content.decode()
    assert "Nothing waits for you" in text
    assert "No mission is in flight." in text
    assert "A mission takes an objective and sources" in text
    assert set(counts(text).values()) == {0}


def test_agents_are_counted_by_where_they_stand(page, project, approver):
    mission = make_mission(project, approver)
    one, two, three, four = delegate(run(mission), Level.ARCHITECT, *"abcd")
    ask(one)
    run(two)
    run(three)
    end(three)
    run(four)
    end(four, SessionStatus.FAILED, error="x")
    text = page.get("/").content.decode()
    assert counts(text) == {"human": 1, "running": 1, "waiting": 1, "queued": 0, "paused": 0, "failed": 1, "done": 1}
    assert "One decision waits for you" in text


def test_a_count_filters_the_agents(page, project, approver):
    mission = make_mission(project, approver)
    _, two = delegate(run(mission), Level.ARCHITECT, "first", "second")
    run(two)
    text = page.get("/?status=running").content.decode()
    panel = text[text.index('id="agents"') : text.index('id="waits"')]
    assert "second" in panel and "first" not in panel
    assert 'id="agents"' not in page.get("/?status=nonsense").content.decode()


def test_a_level_that_nobody_listens_on_is_said_first_of_all(page, project, approver, redis_client):
    make_mission(project, approver)
    listen(redis_client, "architect", "specialist", "worker")
    text = page.get("/").content.decode()
    assert "One queen task cannot start: no worker listens there." in text
    assert text.count('class="bad"') == 1
    listen(redis_client, "queen", "architect", "specialist", "worker")
    text = page.get("/").content.decode()
    assert "cannot start" not in text
    assert 'class="bad"' not in text


def test_what_waits_carries_its_number_into_the_title(page, project, approver):
    for _ in range(2):
        ask(make_mission(project, approver))
    text = page.get("/").content.decode()
    assert "<title>(2) Now · Queenright</title>" in text
    assert "Two decisions wait for you" in text
    assert re.search(r'data-waits="[0-9a-f-]{36} [0-9a-f-]{36}"', text)


def test_missions_that_need_a_person_come_first(page, project, approver):
    asking, newer = make_mission(project, approver), make_mission(project, approver)
    ask(asking)
    table = page.get("/").content.decode().split('id="missions"')[1]
    assert table.index(str(asking.pk)) < table.index(str(newer.pk))
    assert "1 needs a human" in table


def test_a_live_page_pays_only_for_the_regions_it_asks_for(page, project, approver, django_assert_max_num_queries):
    make_mission(project, approver)
    with django_assert_max_num_queries(100) as whole:
        page.get("/")
    with django_assert_max_num_queries(len(whole) - 6):
        assert 'id="counts"' in page.get("/?r=counts").content.decode()


def test_nobody_can_ask_for_endless_regions(page):
    text = page.get("/?" + "&".join(["r=counts"] * (MOST_REGIONS + 50))).content.decode()
    assert text.count('id="counts"') == MOST_REGIONS


def test_the_page_takes_as_many_queries_for_many_missions_as_for_one(
    page, project, approver, django_assert_max_num_queries
):
    ask(make_mission(project, approver))
    page.get("/")
    with django_assert_max_num_queries(40) as one:
        page.get("/")
    for _ in range(8):
        ask(make_mission(project, approver))
    with django_assert_max_num_queries(len(one)):
        page.get("/")


def test_what_was_pruned_is_told(page):
    assert "Old states" not in page.get("/").content.decode()
    now = timezone.now()
    for states, finished in [(3, now), (4, now - timedelta(hours=2)), (5, now - timedelta(days=2))]:
        Pruning.objects.create(
            until=now,
            held_until=now,
            rules="",
            stage="done",
            states=states,
            freed_bytes=states * 1024,
            finished_at=finished,
        )
    text = page.get("/").content.decode()
    assert "7 states and 7.0\xa0KB freed in a day" in text
