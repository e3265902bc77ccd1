"""A session as a file: what goes out comes in again, equal; what does not fit is refused and says why."""

import json
from decimal import Decimal

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from agents.checkpoints.saver import QueenrightSaver
from agents.events.store import first_break
from agents.models import AgentEvent, AgentMessage, AgentSession, AgentState, AuditEntry
from agents.models.states import StateValue
from orchestrator.actions import checkpoint_names
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import ask, end, run, say
from tests.orchestrator.web.test_session_state import messages, save

pytestmark = pytest.mark.django_db(transaction=True)

ODD = {
    "nul": "a\0b",
    "surrogate": "\ud800",
    "nan": float("nan"),
    "infinite": [float("inf"), -0.0, 1e22],
    "bytes": b"\xff",
    "large": 2**80,
    "tuple": (1, "x"),
    "set": {1, 2},
    "long": "x" * 50_000,
    "array": np.arange(5),
    "order": {"z": 1, "a": 2},
    "message": AIMessage("hello", id="m1"),
    "mixed": [b"1", "\ud800", None, True, 1, 1.0, {"a": [b"2"]}, HumanMessage("q"), ""],
}


class State(TypedDict, total=False):
    found: list
    note: str


def walk(session) -> None:
    """Four checkpoints and a branch of two, with a task's writes on each."""
    graph = StateGraph(State)
    graph.add_node("read", lambda state: {"found": messages(30)})
    graph.add_node("write", lambda state: {"found": [*state["found"], HumanMessage("more", id="x")], "note": "done"})
    graph.add_edge(START, "read")
    graph.add_edge("read", "write")
    graph.add_edge("write", END)
    compiled = graph.compile(checkpointer=QueenrightSaver())
    config: RunnableConfig = {"configurable": {"thread_id": str(session.pk)}}
    compiled.invoke({"note": "begin"}, config, durability="sync")
    middle = list(compiled.get_state_history(config))[1].config
    compiled.invoke(None, middle, durability="sync")


def told(session) -> list:
    """Every checkpoint of a session, as LangGraph gets it, without the thread."""
    found = QueenrightSaver().list({"configurable": {"thread_id": str(session.pk)}})
    return [
        repr(
            (
                one.config["configurable"]["checkpoint_id"],
                one.parent_config and one.parent_config["configurable"]["checkpoint_id"],
                sorted(one.metadata.items()),
                sorted(one.checkpoint["channel_values"].items()),
                sorted(one.checkpoint["channel_versions"].items()),
                one.pending_writes,
            )
        )
        for one in found
    ]


def rows(session) -> list:
    """What only the rows of checkpoints hold."""
    names = ("checkpoint_id", "checkpoint_ns", "checkpoint_name", "created_at", "is_current", "state_hash")
    return [
        (*row[:-1], bytes(row[-1]))
        for row in session.states.order_by("created_at", "checkpoint_id").values_list(*names)
    ]


def hashes(session) -> list[bytes]:
    return [bytes(one.state_hash) for one in session.states.order_by("created_at")]


def exported(browser, session) -> bytes:
    answer = browser.get(f"/agents/{session.pk}/export.json")
    assert answer["Content-Disposition"] == f'attachment; filename="session-{session.pk}.json"'
    return b"".join(answer.streaming_content)


def imported(browser, project, data: bytes):
    file = SimpleUploadedFile("session.json", data, "application/json")
    return browser.post("/agents/import/", {"project": str(project.pk), "file": file})


def the_new(answer) -> AgentSession:
    assert answer.status_code == 302, answer.content.decode().split("file-error")[1][:600]
    return AgentSession.objects.get(pk=answer.url.split("/")[2])


@pytest.fixture
def session(project, approver):
    session = make_mission(project, approver, goal="Find <b>out</b>")
    walk(session)
    say(session, "I found **it**")
    say(session, "and more")
    ask(session)
    first = session.states.order_by("created_at").first()
    checkpoint_names.give(approver, session.pk, first.checkpoint_id, name="the start")
    return session


def test_what_goes_out_comes_in_elsewhere_equal(page, session):
    other = make_project()
    there = signed_in(make_member(other))
    new = the_new(imported(there, other, exported(page, session)))
    assert told(new) == told(session)
    assert len(told(new)) == 6
    assert rows(new) == rows(session)
    assert [(m.content, m.message_type, m.created_at) for m in new.messages.order_by("created_at")] == [
        (m.content, m.message_type, m.created_at) for m in session.messages.order_by("created_at")
    ]
    (call,), (old_call,) = new.executions.all(), session.executions.all()
    assert (call.input_data, call.status, call.created_at) == (
        old_call.input_data,
        old_call.status,
        old_call.created_at,
    )
    assert (new.project_id, new.status, new.name, new.goal) == (other.pk, "cancelled", session.name, session.goal)
    assert new.metadata["imported_from"] == str(session.pk)


def test_replies_stay_under_their_messages(page, project, session):
    new = the_new(imported(page, project, exported(page, session)))
    first, second = new.messages.order_by("created_at")
    assert second.parent_message_id == first.pk
    assert AgentMessage.objects.count() == 4


def test_the_events_come_first_with_their_times_and_the_chain_is_sound(page, project, session):
    new = the_new(imported(page, project, exported(page, session)))
    old = list(AgentEvent.objects.filter(aggregate_id=session.pk).order_by("version"))
    events = list(AgentEvent.objects.filter(aggregate_id=new.pk).order_by("version"))
    assert [(e.event_type, e.timestamp) for e in events[:-1]] == [(e.event_type, e.timestamp) for e in old]
    assert [e.event_data for e in events[:-1]] == [e.event_data for e in old]
    assert events[-1].event_type == "session.imported"
    assert first_break(new.pk) is None
    assert AuditEntry.objects.get(action="session.import").target_id == new.pk


@pytest.mark.parametrize("name", ODD)
def test_values_that_break_others_come_back_exactly(page, project, approver, name):
    session = make_mission(project, approver)
    save(session, {"value": ODD[name]}, {"value": [ODD[name]] * 10}, {"value": [0, *[ODD[name]] * 10, 1]})
    new = the_new(imported(page, project, exported(page, session)))
    assert told(new) == told(session)
    if name != "tuple":  # stored as LangGraph stores it: it comes back as a list, and goes out as one
        assert hashes(new) == hashes(session)


def test_a_growing_list_is_written_once(page, project, approver):
    session = make_mission(project, approver)
    many = messages(200)
    save(session, *({"messages": many[: 10 * number]} for number in range(1, 21)))
    data = exported(page, session)
    assert len(data) < 150_000
    assert told(the_new(imported(page, project, data))) == told(session)


def test_the_imported_session_can_be_looked_at(page, project, session):
    new = the_new(imported(page, project, exported(page, session)))
    text = page.get(f"/agents/{new.pk}/").content.decode()
    assert "0 · the start</option>" in text
    assert "on 2 branches" in text
    assert "I found <strong>it</strong>" in text
    assert page.get(f"/missions/{new.pk}/").status_code == 200
    assert exported(page, new).count(b'"checkpoint_id"') > 6


def test_a_file_can_be_imported_twice_and_overwrites_nothing(page, project, session):
    before = told(session), rows(session)
    data = exported(page, session)
    one, two = (the_new(imported(page, project, data)) for _ in range(2))
    assert one.pk != two.pk
    assert told(one) == told(two) == told(session)
    assert (told(session), rows(session)) == before


def test_another_checkpoint_than_the_newest_may_be_current(page, project, session):
    oldest = session.states.order_by("created_at").first()
    session.states.update(is_current=False)
    session.states.filter(pk=oldest.pk).update(is_current=True)
    new = the_new(imported(page, project, exported(page, session)))
    assert new.states.get(is_current=True).checkpoint_id == oldest.checkpoint_id


def test_a_damaged_checkpoint_is_named_and_the_rest_goes_out(page, project, session):
    damaged = session.states.order_by("created_at").last()
    AgentState.objects.filter(pk=damaged.pk).update(state_hash=b"other")
    data = exported(page, session)
    assert json.loads(data)["damaged"] == [str(damaged.checkpoint_id)]
    assert len(told(the_new(imported(page, project, data)))) == 5


def change(data: bytes, act) -> bytes:
    file = json.loads(data)
    act(file)
    return json.dumps(file).encode()


def damage_a_value(file) -> None:
    values = next(one["values"] for one in file["checkpoints"] if one["values"])
    values[next(iter(values))] = {"json": "another"}


def splice_beyond_its_base(file) -> None:
    spliced = [one["channels"]["found"] for one in file["checkpoints"] if "items" in one["channels"].get("found", "")]
    spliced[0]["head"] = 10**9


FAULTS = {
    "no object": (lambda file: file.clear(), "no export of a session"),
    "another format": (lambda file: file.update(format="x"), "no export of a session"),
    "a later version": (lambda file: file.update(version=2), "version 2"),
    "a part is missing": (lambda file: file.pop("messages"), "messages: Field required"),
    "an unknown part": (lambda file: file.update(more=1), "more: Extra inputs"),
    "an unknown status": (lambda file: file["session"].update(status="x"), "session.status"),
    "a name with NUL": (lambda file: file["session"].update(name="a\0"), "session.name"),
    "metadata with NUL": (lambda file: file["session"]["metadata"].update(a="\0"), "cannot be stored"),
    "a moved event of no status": (lambda file: file["events"][0]["data"].update(status="x"), "session.created"),
    "an unknown event": (lambda file: file["events"][0].update(event_type="x"), "event x"),
    "events without their first": (lambda file: file["events"].pop(0), "contradict each other"),
    "an event with more": (lambda file: file["events"][0]["data"].update(x=1), "session.created"),
    "a value is not its hash": (damage_a_value, "not what its hash says"),
    "a splice beyond its base": (splice_beyond_its_base, "does not fit the one"),
    "a value that is not there": (lambda file: file["checkpoints"][0]["channels"].update(__start__="x"), "not in it"),
    "two of one id": (lambda file: file["checkpoints"].append(file["checkpoints"][0]), "same id"),
    "no versions": (lambda file: file["checkpoints"][0]["checkpoint"].pop("channel_versions"), "which versions"),
    "a channel of no version": (
        lambda file: file["checkpoints"][0]["channels"].update(x={"json": 1}),
        "without a version",
    ),
    "a pickle": (
        lambda file: file["checkpoints"][0]["channels"].update(__start__={"kind": "pickle", "data": "gAQu"}),
        "cannot be read",
    ),
    "two that are current": (
        lambda file: [one.update(is_current=True) for one in file["checkpoints"]],
        "cannot be stored",
    ),
    "two calls of one key": (lambda file: file["tools"].append(file["tools"][0]), "same call_key"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(page, project, session, name):
    act, fault = FAULTS[name]
    before = AgentSession.objects.count(), StateValue.objects.count(), AgentEvent.objects.count()
    answer = imported(page, project, change(exported(page, session), act))
    assert answer.status_code == 422
    assert fault in answer.content.decode().split('id="file-error"')[1].split("</p>")[0]
    assert (AgentSession.objects.count(), StateValue.objects.count(), AgentEvent.objects.count()) == before


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format":"queenright.session"']
)
def test_what_is_no_export_is_refused(page, project, data):
    answer = imported(page, project, data)
    assert answer.status_code == 422
    assert AgentSession.objects.count() == 0


def test_half_a_file_is_refused(page, project, session):
    data = exported(page, session)
    assert imported(page, project, data[: len(data) // 2]).status_code == 422


def test_viewers_may_take_out_but_not_in_and_strangers_neither(page, viewer_page, stranger_page, project, session):
    data = exported(viewer_page, session)
    assert imported(viewer_page, project, data).status_code == 403
    assert imported(stranger_page, project, data).status_code == 404
    assert stranger_page.get(f"/agents/{session.pk}/export.json").status_code == 404
    assert viewer_page.get("/agents/import/").status_code == 403
    assert 'type="file"' in page.get("/agents/import/").content.decode()


def test_a_finished_session_stays_what_it_was(page, project, approver):
    session = make_mission(project, approver)
    walk(session)
    run(session)
    end(session, output={"report": 1})
    new = the_new(imported(page, project, exported(page, session)))
    assert new.status == "succeeded"
    assert new.current_run.output == {"report": 1}
    assert sum(call.cost_estimate for call in new.executions.all()) == Decimal(0)
