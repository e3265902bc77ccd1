"""One agent: its checkpoints, its state at each, what it said and used."""

import re

import pytest
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from agents.checkpoints.saver import QueenrightSaver
from agents.events import store
from agents.models import AgentEvent
from agents.models.states import AgentState
from agents.roles import Level
from tests.factories import make_mission
from tests.orchestrator.web.situations import ask, delegate, end, run, say

pytestmark = pytest.mark.django_db(transaction=True)  # graphs save in threads of their own


class State(TypedDict, total=False):
    found: list[str]
    note: str


def walk(session) -> None:
    """Three steps, a checkpoint each."""
    graph = StateGraph(State)
    graph.add_node("read", lambda state: {"found": ["<b>first</b>"]})
    graph.add_node("write", lambda state: {"found": ["one", "two"], "note": "done"})
    graph.add_edge(START, "read")
    graph.add_edge("read", "write")
    graph.add_edge("write", END)
    compiled = graph.compile(checkpointer=QueenrightSaver())
    compiled.invoke({"note": "begin"}, {"configurable": {"thread_id": str(session.pk)}}, durability="sync")


def state_of(answer) -> str:
    """The panel with the state."""
    return answer.content.decode().split('id="state"')[1].split("</section>")[0]


def ids(session) -> list[str]:
    """The checkpoints' ids, oldest first."""
    return [str(pk) for pk in session.states.order_by("created_at").values_list("checkpoint_id", flat=True)]


@pytest.fixture
def session(project, approver):
    session = make_mission(project, approver)
    walk(session)
    return session


def test_the_latest_state_is_shown_and_followed(page, session):
    text = page.get(f"/agents/{session.pk}/").content.decode()
    assert "follows the latest" in text
    assert "“done”" in text
    assert 'id="state" aria-labelledby="state-h" data-live' in text


def test_an_earlier_checkpoint_shows_its_state_and_is_not_followed(page, session):
    texts = [state_of(page.get(f"/agents/{session.pk}/?step={n}")) for n in range(4)]
    assert ["&lt;b&gt;first&lt;/b&gt;" in text for text in texts] == [False, False, True, False]
    assert "“begin”" in texts[1]
    assert "<b>first</b>" not in texts[2]
    assert 'id="state" aria-labelledby="state-h" data-live' not in texts[2]
    assert "Follow the latest" in page.get(f"/agents/{session.pk}/?step=2").content.decode()


def test_a_number_beyond_the_last_shows_the_latest(page, session):
    assert "“done”" in state_of(page.get(f"/agents/{session.pk}/?step=99"))


def test_the_slider_gets_the_part_that_it_moves(page, session):
    answer = page.get(f"/agents/{session.pk}/?step=1", headers={"HX-Request": "true", "HX-Target": "steps"})
    text = answer.content.decode()
    assert text.strip().startswith('<div class="stack" id="steps"')
    assert "“begin”" in text
    assert answer["HX-Push-Url"] == f"/agents/{session.pk}/?at={ids(session)[1]}"


def test_a_checkpoint_is_found_by_its_id_and_another_to_compare_it_with(page, session):
    first, *_, last = ids(session)
    text = page.get(f"/agents/{session.pk}/?at={last}&with={first}").content.decode()
    assert "0 compared with 3" in text
    assert "“done”" in text


@pytest.mark.parametrize("query", ["at=00000000-0000-4000-8000-000000000000", "at=x", "step=-1", "step=" + "9" * 40])
def test_a_checkpoint_that_is_not_there_any_more_is_said(page, session, query):
    text = page.get(f"/agents/{session.pk}/?{query}").content.decode()
    assert "That checkpoint is not there any more" in text
    assert "“done”" in text


def test_without_a_choice_the_one_before_is_compared(page, session):
    text = page.get(f"/agents/{session.pk}/").content.decode().split('id="changes"')[1].split("</section>")[0]
    assert "2 compared with 3" in text
    assert "2 changed, 1 added" in text
    assert "found<wbr>[1]" in text


def test_the_step_says_what_it_wrote_what_comes_next_and_what_ran(page, session):
    text = page.get(f"/agents/{session.pk}/?step=2").content.decode().split('id="step"')[1].split('id="said"')[0]
    assert re.search(r"<dt>Wrote</dt><dd><code>found</code></dd>", text)
    assert re.search(r"<dt>Next</dt><dd><code>write</code></dd>", text)
    assert re.search(r"<code>write</code><span class=\"xs mut\">wrote</span>", text)
    assert "[“one”, “two”]" in text
    ended = page.get(f"/agents/{session.pk}/").content.decode()
    assert "nothing: the graph has ended" in ended
    assert "Nothing has run on top of this checkpoint" in ended


def test_the_whole_state_is_there_as_json(page, stranger_page, session):
    answer = page.get(f"/agents/{session.pk}/state.json?step=3")
    assert answer.json() == {"found": ["one", "two"], "note": "done"}
    assert answer["Content-Type"] == "application/json"
    assert page.get(f"/agents/{session.pk}/state.json?at=gone").status_code == 404
    assert stranger_page.get(f"/agents/{session.pk}/state.json").status_code == 404


def test_a_damaged_state_says_so_and_the_page_stands(page, session):
    AgentState.objects.filter(session=session).update(state_hash=b"other")
    answer = page.get(f"/agents/{session.pk}/")
    assert answer.status_code == 200
    assert "This state cannot be shown" in answer.content.decode()


def test_a_damaged_state_is_marked_told_once_and_counted_and_the_one_before_it_is_current(page, session):
    AgentState.objects.filter(session=session, is_current=True).update(state_hash=b"other")
    *_, before, damaged = ids(session)
    assert "This state cannot be shown" in page.get(f"/agents/{session.pk}/?at={damaged}").content.decode()
    text = page.get(f"/agents/{session.pk}/").content.decode()
    assert "4 checkpoints, 1 damaged; 2 is selected" in text
    assert 'class="d bad"' in text
    assert "This state cannot be shown" not in text
    text = page.get(f"/agents/{session.pk}/?at={damaged}").content.decode()
    assert f"The checkpoint {damaged} is damaged" in text
    assert "agents go on from a sound one before it" in text
    (event,) = AgentEvent.objects.filter(aggregate_id=session.pk, event_type="session.state_damaged")
    assert (event.event_data["checkpoint_id"], event.event_data["gave_way_to"]) == (damaged, before)
    assert store.first_break(session.pk) is None
    assert page.get("/healthz").json()["damaged_states"] == 1
    assert "1 damaged" in page.get("/?r=health").content.decode()
    assert [str(pk) for pk in session.states.filter(is_current=True).values_list("checkpoint_id", flat=True)] == [
        before
    ]


def test_an_agent_that_has_not_begun_says_so(page, project, approver):
    text = page.get(f"/agents/{make_mission(project, approver).pk}/").content.decode()
    assert "No checkpoint yet" in text
    assert "It has not said anything yet" in text
    assert "It has used no tool yet" in text


def test_messages_and_talk_stand_in_their_order_and_tools_with_their_arguments(page, session):
    (child,) = delegate(run(session), Level.WORKER, "child")
    say(run(child), "I **read**")
    ask(child)
    text = page.get(f"/agents/{child.pk}/").content.decode()
    assert text.index("task assignment") < text.index("I <strong>read</strong>")
    assert "&quot;file_name&quot;: &quot;report.md&quot;" in text
    assert "Waiting for <b>an approver</b>" in text


def test_the_result_of_an_agent_is_told_to_the_one_above(page, session):
    (child,) = delegate(run(session), Level.WORKER, "child")
    run(child)
    end(child, output={})
    assert re.search(r"<b>child</b> to <b>Mission</b>: result", page.get(f"/agents/{session.pk}/").content.decode())


def test_the_page_takes_as_many_queries_for_many_steps_as_for_few(page, session, django_assert_max_num_queries):
    page.get(f"/agents/{session.pk}/")
    with django_assert_max_num_queries(40) as few:
        page.get(f"/agents/{session.pk}/")
    for _ in range(5):
        walk(session)
    with django_assert_max_num_queries(len(few)):
        page.get(f"/agents/{session.pk}/")
