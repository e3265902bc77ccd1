"""Editing a state: typed fields, reducers, raw JSON; what does not fit stands beside its cause."""

import json
from typing import Annotated, Any, Literal

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import StateGraph
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from agents.errors import InvalidInput
from agents.ids import new_id
from agents.lifecycle import SessionStatus
from agents.models import Rewind
from agents.roles import Level, Role
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.states import Change
from orchestrator.web.state_form import StateForm
from tests.factories import make_member, make_mission
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.rewinds import edit, head, values
from tests.orchestrator.runtime.test_runner import fresh
from tests.orchestrator.web.rewinding import Form, make_agent
from tests.orchestrator.web.test_session_state import messages, save

pytestmark = pytest.mark.django_db(transaction=True)


class Typed(TypedDict, total=False):
    count: int
    share: float
    dry: bool
    mode: Literal["fast", "good"]
    rank: Literal[1, 2]
    limit: int | None
    note: str
    tags: list[str]
    odd: Any
    total: Annotated[int, lambda old, new: old + new]
    messages: Annotated[list, add_messages]


def typed_graph() -> StateGraph:
    graph = StateGraph(Typed)
    graph.add_node("work", lambda state: {})
    graph.add_edge("__start__", "work")
    return graph


agent_types.register(AgentType("test.typed", Level.WORKER, typed_graph))
STATE = {
    "count": 3, "share": 0.5, "dry": True, "mode": "good", "rank": 2, "limit": 7, "note": "a\r\nb", "tags": ["x"],
    "odd": {"a": float("inf")}, "total": 10, "messages": [AIMessage("hello", id="m1")],
}  # fmt: skip


def change_of(values=STATE, **sent) -> Change:
    return StateForm("test.typed", values, sent or {"as_node": ""}).change()


def test_each_type_has_its_control():
    kinds = {one.name: (one.whole.kind, one.more is not None) for one in StateForm("test.typed", STATE).channels}
    assert kinds == {
        "count": ("number", False), "share": ("number", False), "dry": ("check", False), "mode": ("choice", False),
        "rank": ("choice", False), "limit": ("number", False), "note": ("area", False), "tags": ("json", False),
        "odd": ("json", False), "total": ("number", True), "messages": ("json", True),
    }  # fmt: skip


@pytest.mark.parametrize("values", [STATE, {}])
def test_a_form_that_nobody_touched_changes_nothing(values):
    form = StateForm("test.typed", values)
    sent = {f"state-{one.name}": one.whole.value for one in form.channels}
    sent |= {"box-dry": "1"} if values else {}
    assert not StateForm("test.typed", values, sent).is_touched
    assert change_of(values, **sent).values == {}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"state-count": "4"}, {"count": 4}),
        ({"state-share": "1"}, {"share": 1.0}),
        ({"box-dry": "1"}, {"dry": False}),
        ({"state-mode": "fast"}, {"mode": "fast"}),
        ({"state-rank": "1"}, {"rank": 1}),
        ({"state-limit": ""}, {"limit": None}),
        ({"state-note": "c\r\nd"}, {"note": "c\nd"}),
        ({"state-tags": '["y", "z"]'}, {"tags": ["y", "z"]}),
        ({"state-odd": "[null, 1.5]"}, {"odd": [None, 1.5]}),
        ({"how-total": "reduce", "more-total": "5"}, {"total": 5}),
        ({"raw": '{"count": 9, "odd": "\\u0000"}'}, {"count": 9, "odd": "\0"}),
    ],
)
def test_a_text_becomes_a_value_of_its_type(sent, expected):
    found = change_of(**sent).values
    assert (found, {name: type(value) for name, value in found.items()}) == (
        expected,
        {name: type(value) for name, value in expected.items()},
    )


def test_what_is_not_set_is_left_so_and_a_box_can_say_neither():
    form = StateForm("test.typed", {})
    (dry,) = (one for one in form.channels if one.name == "dry")
    assert (dry.whole.kind, dry.whole.options, dry.whole.value) == ("choice", ("true", "false"), "")
    assert change_of({}, **{"state-dry": "false"}).values == {"dry": False}


@pytest.mark.parametrize(("how", "replaced"), [("reduce", ()), ("replace", ("total",))])
def test_a_channel_with_a_reducer_is_given_to_it_or_replaced(how, replaced):
    change = change_of(**{"how-total": how, "more-total": "1", "state-total": "2"})
    assert (change.values, change.replace) == ({"total": 1 if how == "reduce" else 2}, replaced)


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"state-count": "many"}, "count"),
        ({"state-count": "1.5"}, "count"),
        ({"state-mode": "other"}, "mode"),
        ({"state-tags": "[1,"}, "tags"),
        ({"state-tags": "[" * 100_000}, "tags"),
        ({"more-total": "1"}, "total"),
        ({"how-total": "reduce"}, "total"),
        ({"raw": "[1]"}, "raw"),
        ({"raw": "{"}, "raw"),
        ({"raw": '{"count": 1}', "state-count": "2"}, "raw"),
    ],
)
def test_a_text_that_is_no_value_is_told_at_its_field(sent, place):
    with pytest.raises(InvalidInput) as refused:
        change_of(**sent)
    assert list(refused.value.data["fields"]) == [place]


@pytest.mark.parametrize("value", ["nul\0nul", "\ud800", float("nan"), [1, 2]])
def test_a_value_that_its_control_cannot_hold_stands_as_json(value):
    form = StateForm("test.typed", {"note": value, "count": value})
    assert [one.whole.kind for one in form.channels if one.name in ("note", "count")] == ["json", "json"]
    text = form.channels[0].whole.value
    text.encode()
    assert str(json.loads(text)) == str(value)


def test_texts_over_a_newer_state_keep_what_was_typed_and_take_the_rest():
    sent = {f"state-{one.name}": one.whole.value for one in StateForm("test.typed", STATE).channels}
    form = StateForm("test.typed", STATE, {**sent, "box-dry": "1", "state-note": "mine"})
    newer = form.over("test.typed", {**STATE, "count": 8, "note": "theirs"})
    fields = {one.name: one.whole.value for one in newer.channels}
    assert (fields["count"], fields["note"], fields["dry"]) == ("8", "mine", "true")
    assert newer.change().values == {"note": "mine"}


@pytest.mark.parametrize("value", [messages(10_000), "x" * 1_000_000, {"deep": [[[]]]}])
def test_a_long_value_is_not_put_into_the_form(value):
    deep = value
    for _ in range(200):
        deep = [deep]
    value = deep if isinstance(value, dict) else value
    form = StateForm("test.typed", {"odd": value, "note": "kept"})
    (odd,) = (one for one in form.channels if one.name == "odd")
    assert (odd.is_left_out, odd.whole.value) == (True, "")
    assert not form.is_touched


@pytest.fixture
def session(project, approver, trace):
    return make_agent(project, approver, tool="ask_to_trace")


def opened(browser, session) -> Form:
    return Form(browser.get(f"/agents/{session.pk}/edit/"))


def send(browser, session, form: Form, **more):
    return browser.post(f"/agents/{session.pk}/edit/", {**form.sent, "do": "it", **more})


def test_an_edit_is_written_and_the_agent_rests(page, session):
    form = opened(page, session)
    answer = send(page, session, form, **{"state-name": "other", "how-steps": "reduce", "more-steps": '["mine"]'})
    assert answer.url == f"/agents/{session.pk}/"
    assert (values(session)["name"], values(session)["steps"]) == ("other", ["begin", "mine"])
    assert fresh(session).status == SessionStatus.PAUSED
    events = page.get(answer.url).content.decode().split('id="happened"')[1]
    assert "edited the state of <b>Mission</b>" in events
    assert "Changed name, steps." in events


def test_an_edit_as_a_node_and_a_replacement(page, session):
    form = opened(page, session)
    more = {"how-steps": "replace", "state-steps": '["only"]', "as_node": "use", "raw": '{"result": {"by": "hand"}}'}
    send(page, session, form, **more)
    assert (values(session)["steps"], values(session)["result"]) == (["only"], {"by": "hand"})
    assert "As if use had written it" in page.get(f"/agents/{session.pk}/").content.decode().replace("as if", "As if")


def test_what_the_graph_refuses_stands_beside_the_field_and_nothing_is_lost(page, session):
    more = {"state-below": '["x"]', "raw": '{"nothing": 1}', "how-steps": "reduce", "more-steps": "[7]"}
    answer = send(page, session, opened(page, session), **more)
    text, again = answer.content.decode(), Form(answer)
    assert answer.status_code == 422
    assert "valid integer" in text.split('id="error-1"')[1].split("</p>")[0]
    assert "valid string" in text.split('id="error-5"')[1].split("</p>")[0]
    assert "nothing: This agent has no such value." in text.split('id="raw-error"')[1].split("</p>")[0]
    assert {name: again.sent[name] for name in more} == more
    assert not Rewind.objects.exists()


def test_a_check_changes_nothing(page, session):
    before = head(session)
    answer = send(page, session, opened(page, session), do="check", **{"state-name": "other"})
    assert "graph takes these values." in answer.content.decode()
    assert Form(answer).sent["state-name"] == "other"
    bad = send(page, session, opened(page, session), do="check", **{"state-below": "7"})
    assert bad.status_code == 422
    assert "Change something." in send(page, session, opened(page, session), do="check").content.decode()
    assert (head(session), Rewind.objects.count()) == (before, 0)


def test_who_comes_second_keeps_the_typed_and_sees_the_new(page, session, project):
    form = opened(page, session)
    olga = make_member(project, Role.OPERATOR, "olga")
    edit(session, Change({"name": "theirs", "tool": "look_around"}), user=olga)
    answer = send(page, session, form, **{"state-name": "mine"})
    again = Form(answer)
    assert answer.status_code == 409
    assert "olga edited its state since you looked" in answer.content.decode()
    assert (again.sent["state-name"], again.sent["state-tool"]) == ("mine", "look_around")
    assert send(page, session, again).status_code == 302
    assert (values(session)["name"], values(session)["tool"]) == ("mine", "look_around")


def test_a_double_click_is_one_edit(page, session):
    form = opened(page, session)
    answers = [send(page, session, form, **{"how-steps": "reduce", "more-steps": '["once"]'}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert values(session)["steps"] == ["begin", "once"]


def test_ten_thousand_messages_are_neither_sent_nor_lost(page, project, approver):
    session = make_mission(project, approver, agent_type="test.typed", level=Level.WORKER)
    save(session, {"messages": messages(10_000), "note": "short", "branch:to:work": None})
    answer = page.get(f"/agents/{session.pk}/edit/")
    assert len(answer.content) < 60_000
    assert "message 5000 says" not in answer.content.decode()
    assert "10000 items" in answer.content.decode()
    send(page, session, Form(answer), **{"state-note": "other"})
    assert (len(values(session)["messages"]), values(session)["note"]) == (10_000, "other")


def test_an_agent_of_an_unknown_type_is_looked_at_and_not_rewound(page, project, approver):
    session = make_mission(project, approver, agent_type="of.yesterday")
    save(session, {"note": "x"})
    text = page.get(f"/agents/{session.pk}/").content.decode()
    assert "nothing here runs agents of the type of.yesterday" in text
    for kind in ("edit", "fork", "replay", "rollback"):
        assert page.get(f"/agents/{session.pk}/{kind}/").status_code == 404
        sent = {"at": str(head(session)), "seen": str(head(session)), "rewind": str(new_id())}
        assert page.post(f"/agents/{session.pk}/{kind}/", sent).status_code == 404


def test_hostile_values_are_escaped(page, project, approver):
    session = make_agent(project, approver, name="<script>alert(1)</script>")
    run_all()
    text = page.get(f"/agents/{session.pk}/edit/").content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
