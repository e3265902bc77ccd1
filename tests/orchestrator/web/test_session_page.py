"""One agent: its checkpoints, its state at each, what it said and used."""

import re

import pytest
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from agents.checkpoints.saver import QueenrightSaver
from agents.models.states import AgentState
from agents.roles import Level
from orchestrator.web import state_tree
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
    texts = [page.get(f"/agents/{session.pk}/?step={n}").content.decode() for n in range(4)]
    assert ["&lt;b&gt;first&lt;/b&gt;" in text for text in texts] == [False, False, True, False]
    assert "“begin”" in texts[1]
    assert "<b>first</b>" not in texts[2]
    assert 'id="state" aria-labelledby="state-h" data-live' not in texts[2]
    assert "Follow the latest" in texts[2]


@pytest.mark.parametrize("step", ["99", "-1", "x", "9" * 40])
def test_a_step_that_is_not_there_shows_the_latest(page, session, step):
    assert "“done”" in page.get(f"/agents/{session.pk}/?step={step}").content.decode()


def test_the_slider_gets_the_part_that_it_moves(page, session):
    answer = page.get(f"/agents/{session.pk}/?step=1", headers={"HX-Request": "true", "HX-Target": "steps"})
    text = answer.content.decode()
    assert text.strip().startswith('<div class="stack" id="steps"')
    assert "“begin”" in text


def test_a_damaged_state_says_so_and_the_page_stands(page, session):
    AgentState.objects.filter(session=session).update(state_hash=b"other")
    answer = page.get(f"/agents/{session.pk}/")
    assert answer.status_code == 200
    assert "This state cannot be shown" in answer.content.decode()


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


# ------------------------------------------------------------------ states as rows


def test_a_state_becomes_rows_with_levels_and_types():
    rows = state_tree.rows({"goal": "x", "found": [{"a": 1}, {"b": None}], "few": [1, 2], "none": {}})
    assert [(row.level, row.key, row.value, row.type_words, row.is_open) for row in rows] == [
        (1, "goal", "“x”", "", None),
        (1, "found", "", "list, 2", True),
        (2, "0", "", "object, 1", False),
        (3, "a", "1", "", None),
        (2, "1", "", "object, 1", False),
        (3, "b", "null", "", None),
        (1, "few", "[1, 2]", "", None),
        (1, "none", "{}", "", None),
    ]


def test_a_huge_or_deep_state_is_cut_to_what_can_be_read():
    deep: dict = {}
    for _ in range(500):
        deep = {"in": deep}
    rows = state_tree.rows({"wide": list(range(10_000)), "deep": deep, "long": "x" * 100_000, "raw": b"123"})
    assert len(rows) < 700
    assert any("9960 more" in row.value for row in rows)
    assert max(len(row.value) for row in rows) < 1000
    assert rows[-1].value == "3 bytes"
