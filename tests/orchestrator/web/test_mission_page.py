"""One mission: who does what, who waits for whom, live in regions, in a fixed number of queries."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from agents.actor import SYSTEM, person
from agents.graphs.ports import Usage
from agents.ids import new_id
from agents.lifecycle import SessionStatus, WaitKind
from agents.models import AgentEvent, AgentSession
from agents.roles import Level
from agents.selectors import activity, missions
from agents.selectors.standing import Standing
from agents.services import communications, control, messages, requests, sessions
from agents.services.communications import Message
from agents.services.waits import Question
from agents.words import CommunicationType
from orchestrator import presence
from orchestrator.web.drawing import Axis, lane
from tests.factories import make_mission
from tests.orchestrator.web.situations import ask, delegate, end, run, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def mission(project, approver):
    return make_mission(project, approver, goal="How do argyrodites react?")


def body(client, mission, query="") -> str:
    return client.get(f"/missions/{mission.pk}/{query}").content.decode()


def row_of(text: str, session) -> str:
    return re.search(rf'<div class="arow" id="agent-{session.pk}".*?</svg>\s*</div>', text, re.S)[0]


def test_the_tree_is_in_depth_first_order_with_its_levels(page, mission):
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    (below,) = delegate(run(one), Level.SPECIALIST, "below")
    text = body(page, mission)
    ids = re.findall(r'id="agent-([0-9a-f-]{36})" role="treeitem" aria-level="(\d)"', text)
    assert ids == [(str(mission.pk), "1"), (str(one.pk), "2"), (str(below.pk), "3"), (str(two.pk), "2")]
    assert 'aria-posinset="2" aria-setsize="2"' in row_of(text, two)
    assert 'aria-expanded="true"' in row_of(text, one)
    assert "aria-expanded" not in row_of(text, two)


def test_who_is_not_running_says_for_what_since_when_and_why(page, mission):
    one, two, _ = delegate(run(mission), Level.ARCHITECT, "one", "two", "three")
    ask(one)
    control.pause(two.pk, actor=person(mission.user_id), reason="looks wrong")
    text = re.sub(r"<[^>]+>|\s+", " ", body(page, mission))
    text = re.sub(r"\s+", " ", text)
    assert re.search(
        r"Waiting for one, two, three since \d\d:\d\d because the answer needs them; 3 of them have not", text
    )
    assert re.search(r"Waiting for an approver since \d\d:\d\d because publish_report is medium risk", text)
    assert re.search(r"Waiting for a resume since \d\d:\d\d because a person paused it: “looks wrong”", text)
    assert re.search(r"Waiting for a worker since \d\d:\d\d because no worker listens on architect", text)


def test_a_queued_agent_knows_its_place_when_its_level_is_served(page, mission, redis_client):
    redis_client.setex(f"{presence._PREFIX}test", 10, '["queen", "architect"]')
    delegate(run(mission), Level.ARCHITECT, "one", "two")
    text = body(page, mission)
    assert "it is the next of its level" in text
    assert "1 other is ahead of it" in text


def test_a_failed_agent_says_why_and_can_be_retried(page, mission):
    run(mission)
    end(mission, SessionStatus.FAILED, error="The model server cannot be reached.", code="model_unavailable")
    text = body(page, mission)
    assert "The model server cannot be reached." in text
    assert re.search(rf'action="/agents/{mission.pk}/retry/"', text)
    page.post(f"/agents/{mission.pk}/retry/")
    assert AgentSession.objects.get().status == "queued"


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [("pause", "queued", "paused"), ("cancel", "queued", "cancelled"), ("resume", "paused", "queued")],
)
def test_the_buttons_steer(page, mission, verb, before, after):
    if before == "paused":
        control.pause(mission.pk, actor=SYSTEM, reason="")
    answer = page.post(f"/agents/{mission.pk}/{verb}/")
    assert answer["Location"] == f"/missions/{mission.pk}/?agent={mission.pk}"
    assert AgentSession.objects.get().status == after


def test_a_button_that_is_off_says_why_and_cannot_be_pressed(page, mission):
    run(mission)
    end(mission)
    text = body(page, mission)
    assert "Pause: it is not at work." in text
    assert "Retry: nothing failed in this agent." in text
    answer = page.post(f"/agents/{mission.pk}/retry/")
    assert answer.status_code == 409
    assert "Only an agent that failed or was stopped" in answer.content.decode()


def test_a_button_that_does_not_exist_is_not_there(page, mission):
    assert page.post(f"/agents/{mission.pk}/explode/").status_code == 404
    assert page.get(f"/agents/{mission.pk}/cancel/").status_code == 405


def test_an_agent_that_is_asked_to_stop_shows_it(page, mission):
    run(mission)
    control.cancel(mission.pk, actor=SYSTEM, reason="enough")
    assert "Stopping" in row_of(body(page, mission), mission)


def test_the_inspector_opens_on_who_needs_a_person_or_on_the_named_one(page, mission):
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    assert '<h2 id="inspector-h">Mission</h2>' in body(page, mission)
    approval = ask(two)
    text = body(page, mission)
    assert '<h2 id="inspector-h">two</h2>' in text
    assert f'href="/approvals/{approval.pk}/">Open<' in text
    assert '<h2 id="inspector-h">one</h2>' in body(page, mission, f"?agent={one.pk}")
    assert page.get(f"/missions/{mission.pk}/?agent=nonsense").status_code == 404


def test_htmx_gets_the_part_it_names(page, mission):
    for part in ("inspector", "details"):
        answer = page.get(f"/missions/{mission.pk}/", headers={"HX-Request": "true", "HX-Target": part})
        assert answer.content.decode().strip().startswith("<section")
        assert f'id="{part}"' in answer.content.decode()
        assert "<html" not in answer.content.decode()
        assert "HX-Request" in answer["Vary"]
    restored = {"HX-Request": "true", "HX-Target": "details", "HX-History-Restore-Request": "true"}
    assert "<html" in page.get(f"/missions/{mission.pk}/", headers=restored).content.decode()


def test_a_live_page_gets_the_regions_that_it_names_and_no_others(page, mission):
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    text = body(page, mission, f"?r=facts&r=agent-{one.pk}&r=agent-{new_id()}&r=rail-waits&r=base&r=nonsense-x")
    assert re.findall(r'^\s*<\w+ [^>]*?id="([^"]+)"', text, re.M)[:3] == ["facts", f"agent-{one.pk}", "rail-waits"]
    assert str(two.pk) not in text
    assert "<html" not in text


@pytest.mark.parametrize("region", ["agent-nonsense", "agent-"])
def test_a_malformed_region_is_no_fault_of_ours(page, mission, region):
    assert page.get(f"/missions/{mission.pk}/?r={region}").status_code == 404


def test_a_big_mission_takes_as_many_queries_as_a_small_one(page, mission, django_assert_max_num_queries):
    (one,) = delegate(run(mission), Level.ARCHITECT, "one")
    say(run(one), "Working")
    ask(one)
    page.get(f"/missions/{mission.pk}/")
    with django_assert_max_num_queries(41) as small:
        page.get(f"/missions/{mission.pk}/")
    other = make_mission(mission.project, mission.user)
    for architect in delegate(other, Level.ARCHITECT, *"abcdef"):
        for specialist in delegate(run(architect), Level.SPECIALIST, *"abc"):
            say(run(specialist), "Working")
            ask(specialist)
    with django_assert_max_num_queries(len(small)):
        page.get(f"/missions/{other.pk}/")


def test_finished_workers_of_a_big_mission_are_left_out_until_asked_for(page, mission, monkeypatch):
    monkeypatch.setattr(missions, "MANY", 3)
    workers = delegate(run(mission), Level.WORKER, "one", "two", "three")
    run(workers[0])
    end(workers[0])
    text = body(page, mission)
    assert "3 of 4 shown" in text
    assert f"agent-{workers[0].pk}" not in text
    assert f"agent-{workers[0].pk}" in body(page, mission, "?all=1")


def test_cost_stands_where_a_model_was_used(page, mission):
    assert "Cost" not in body(page, mission)
    messages.charge(mission, new_id(), Usage("openai:x", "plan", 1000, 234, "0.25", 1, 12))
    text = body(page, mission)
    assert "$0.25" in text
    assert "1 234" in text


def test_the_activity_tells_what_somebody_wants_to_hear(page, mission):
    (one,) = delegate(run(mission), Level.ARCHITECT, "one")
    say(run(one), "Reading the sources")
    approval = ask(one)
    kinds = [(happening.kind, happening.agent.name) for happening in activity.of_mission(mission.pk)]
    assert kinds == [
        ("approval.requested", "one"),
        ("session.said", "one"),
        ("session.created", "one"),
        ("session.created", "Mission"),
    ]
    text = body(page, mission, "?tab=activity")
    assert "Reading the sources" in text
    assert f"/approvals/{approval.pk}/" in text


def test_what_agents_tell_and_ask_each_other_is_shown_with_how_it_stands(page, mission):
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    with transaction.atomic():
        asker = sessions.lock(run(one).pk)
        communications.tell(asker, new_id(), Message(CommunicationType.PEER_MESSAGE, {"hint": "<b>look</b>"}))
        question = Question("i", WaitKind.REPLY, "q", {}, "an answer", "doubt")
        scope = Message(CommunicationType.DESIGN_CONSISTENCY, {"questions": ["Why?", "How?"]})
        requests.ask(asker, question, scope, to=two.pk, seconds=60)

    def shown() -> str:
        return " ".join(re.sub(r"<[^>]+>", " ", body(page, mission, "?tab=messages")).split())

    assert "hint: &lt;b&gt;look&lt;/b&gt;" in shown()
    assert "one to two : design consistency waiting for an answer questions: Why?, How?" in shown()
    with transaction.atomic():
        requests.time_out(sessions.lock(one.pk), one.waits.get())
    assert "timed out" in shown()
    assert "timed out" in page.get(f"/agents/{two.pk}/").content.decode()


def test_every_tab_says_something_while_it_is_empty(page, mission):
    for tab, words in {
        "messages": "Nobody has said",
        "tools": "No tool was used",
        "result": "No result yet",
        "sources": "No source",
    }.items():
        assert words in body(page, mission, f"?tab={tab}")


def test_a_result_links_each_citation_to_its_passage_with_its_words(page, mission):
    passage = new_id()
    report = {
        "title": "Found", "summary": "In **short**.", "missing": ["Prices."],
        "answers": [{
            "question": "How fast?", "text": "Within minutes [1]. Not [7].", "confidence": 0.8, "missing": "",
            "citations": [{"number": 1, "passage_id": str(passage), "quote": "within minutes & more"}],
        }],
    }  # fmt: skip
    run(mission)
    end(mission, output={"report": report, "publication": {"published": True, "file_name": "a.md", "folder": "p"}})
    text = body(page, mission)
    assert text.count(f"/passages/{passage}/?quote=within+minutes+%26+more") == 2
    assert "Not [7]." in text
    assert "<strong>short</strong>" in text
    assert "Prices." in text
    assert "<code>a.md</code>" in text


@pytest.mark.parametrize("output", [None, {}, [], "text", {"report": None}, {"report": {"title": 1}}, {"report": []}])
def test_an_output_that_is_no_report_breaks_nothing(page, mission, output):
    run(mission)
    end(mission, output=output)
    assert page.get(f"/missions/{mission.pk}/?tab=result").status_code == 200


# ------------------------------------------------------------------ time


def shift(mission, **by):
    AgentEvent.objects.filter(correlation_id=mission.pk).update(timestamp=timezone.now() - timedelta(**by))
    AgentSession.objects.filter(root=mission).update(created_at=timezone.now() - timedelta(**by))


def test_a_lane_shows_work_solid_waits_hatched_and_what_goes_on_growing(mission):
    shift(mission, minutes=10)
    (one,) = delegate(run(mission), Level.ARCHITECT, "one")
    tree = missions.tree(mission)
    assert [span.standing for span in tree.rows[0].lane.spans] == [Standing.QUEUED, Standing.RUNNING, Standing.WAITING]
    drawn = lane(tree.rows[0], Axis.of(tree))
    assert drawn.count("data-grows") == 1
    assert re.search(r"hatch-wait[^>]*data-grows", drawn)
    assert 'class="c-run"' in drawn
    assert "style=" not in drawn
    assert tree.row(one.pk).lane.spans[0].standing is Standing.QUEUED


def test_work_that_ended_well_is_told_from_a_try_that_failed(mission):
    run(mission)
    sessions.move(sessions.lock(mission.pk), SessionStatus.QUEUED, actor=SYSTEM, cause="lease_expired")
    run(mission)
    end(mission)
    tree = missions.tree(mission)
    assert [(span.standing.value, span.failed) for span in tree.rows[0].lane.spans] == [
        ("queued", False), ("running", True), ("queued", False), ("running", False),
    ]  # fmt: skip
    drawn = lane(tree.rows[0], Axis.of(tree))
    assert drawn.count('class="c-fail"') == drawn.count('class="c-done"') == 1
    assert "nowline" not in drawn
    assert "data-grows" not in drawn


@pytest.mark.parametrize(
    ("seconds", "length"), [(1, 15), (14, 15), (16, 20), (100, 120), (7100, 7200), (7300, 10800), (90_000, 93_600)]
)
def test_an_axis_has_room_to_grow_so_that_bars_keep_their_scale(mission, seconds, length):
    AgentSession.objects.filter(pk=mission.pk).update(created_at=timezone.now() - timedelta(seconds=seconds))
    assert Axis.of(missions.tree(mission)).length == length


def test_an_axis_of_a_mission_that_has_ended_is_exact(mission):
    run(mission)
    end(mission)
    now = timezone.now()
    AgentSession.objects.filter(pk=mission.pk).update(created_at=now - timedelta(seconds=100), finished_at=now)
    axis = Axis.of(missions.tree(mission))
    assert (axis.length, axis.is_open) == (100, False)
    assert [mark.text for mark in axis.marks] == ["00:00", "00:33", "01:06", "01:40"]


def test_lines_of_missions_count_their_agents(project, mission):
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    ask(one)
    run(two)
    messages.charge(two, new_id(), Usage("openai:x", "plan", 1, 1, "0.5", 1, 1))
    messages.charge(two, new_id(), Usage("openai:x", "plan", 1, 1, "0.25", 1, 1))
    (line,) = missions.lines(project.pk)
    assert (line.agents, line.human, line.running, line.done, line.cost) == (3, 1, 1, 0, Decimal("0.75"))
    assert line.standing is Standing.HUMAN


def test_the_list_of_missions_takes_one_query(project, approver, django_assert_num_queries):
    for _ in range(5):
        delegate(make_mission(project, approver), Level.ARCHITECT, "one")
    with django_assert_num_queries(1):
        assert len(missions.lines(project.pk)) == 5
