"""Graphs that know nothing of Queenright: their questions are put to people, and answered in their own forms."""

import json
import re
import sys
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from agents.errors import AlreadyDecided, Forbidden, InvalidInput, StaleVersion
from agents.lifecycle import Risk, SessionStatus
from agents.models import AgentSession, Approval, SessionWait, ToolExecution
from agents.roles import Level
from agents.services import policies
from orchestrator.env import BASE_DIR
from orchestrator.runtime import agent_types, imported_graphs, langchain_guard
from tests.factories import make_member, make_mission
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.imports import asked, decide, go_on, graph, told
from tests.orchestrator.runtime.test_runner import Death, effects, fresh, run_to_death
from tests.orchestrator.test_events_command import events
from tests.scripted import Script, calls

__all__ = ["graph"]
FORMS = ["batched", "per_call", "inbox"]
EDITED = {"to": "bob", "text": "hi"}


def ended(root: AgentSession) -> AgentSession:
    found = fresh(root)
    assert found.status == SessionStatus.SUCCEEDED, found.current_run.error
    return found


@pytest.fixture
def letter(graph):
    """Starts a graph that wants to send a letter to Ann, and asks."""

    def start(name: str) -> tuple[AgentSession, Approval]:
        root = graph(name, calls(("send", {"to": "ann", "text": "hello"})))
        run_all()
        assert fresh(root).status == SessionStatus.WAITING_APPROVAL, fresh(root).current_run.error
        (approval,) = asked()
        return root, approval

    return start


@pytest.mark.parametrize("name", FORMS)
def test_what_is_put_before_people_is_the_call_with_what_may_be_answered(letter, trace, name):
    root, approval = letter(name)
    assert (approval.tool_name, approval.proposed) == ("send", {"to": "ann", "text": "hello"})
    assert set(approval.allowed) == {"approve", "edit", "reject", "respond"}
    assert (approval.risk, approval.title, approval.form) == (
        Risk.HIGH,
        "Send",
        {"per_call": "call", "batched": "batch"}.get(name, name),
    )
    assert set(approval.schema["properties"]) == {"to", "text"}
    assert effects(trace) == []
    assert root.level == (Level.SPECIALIST if name == "batched" else Level.WORKER)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_approved_runs_once_and_is_not_asked_about_twice(letter, trace, name):
    root, approval = letter(name)
    decide(approval, "approve")
    run_all()
    ended(root)
    assert (effects(trace), told(root)) == (["send:ann"], ["sent to ann"])
    assert Approval.objects.count() == 1
    row = ToolExecution.objects.get()
    assert (row.tool_name, row.policy, row.status, row.risk) == ("send", "ask", "completed", "high")


@pytest.mark.parametrize("name", FORMS)
def test_what_is_edited_runs_as_it_was_edited(letter, trace, name):
    root, approval = letter(name)
    decide(approval, "approve", arguments=EDITED)
    run_all()
    ended(root)
    assert effects(trace) == ["send:bob"]
    assert "sent to bob" in told(root)[0]
    assert ToolExecution.objects.get().effective_data == EDITED
    assert Approval.objects.count() == 1


@pytest.mark.parametrize("name", FORMS)
def test_what_is_rejected_does_not_run_and_the_graph_is_told_why(letter, trace, name):
    root, approval = letter(name)
    decide(approval, "reject", reason="Not today")
    run_all()
    output = ended(root).current_run.output
    assert (effects(trace), ToolExecution.objects.count()) == ([], 0)
    if name == "inbox":
        assert output == {"text": "ignored"}
    else:
        assert "Not today" in told(root)[0]


@pytest.mark.parametrize("name", FORMS)
def test_a_person_answers_in_place_of_the_tool(letter, trace, name):
    root, approval = letter(name)
    decide(approval, "respond", reason="I sent it myself")
    run_all()
    output = ended(root).current_run.output
    assert effects(trace) == []
    if name == "inbox":
        assert output == {"text": "they said: I sent it myself"}
    else:
        assert told(root) == ["I sent it myself"]
        assert output == {"text": "done"}


MALFORMED: list[dict[str, Any]] = [
    {"verdict": "respond"},
    {"verdict": "respond", "reason": " "},
    {"verdict": "reject"},
    {"verdict": "again"},
    {"verdict": "edit"},
    {"verdict": "approve", "arguments": {"to": 5}},
    {"verdict": "approve", "arguments": {}},
    {"verdict": "approve", "arguments": {"to": "a\0"}},
    {"verdict": "approve", "arguments": ["ann"]},
    {"verdict": "approve", "tool": "fly"},
    {"verdict": "approve", "tool": "burn"},  # which takes no text
]
MALFORMED_BY_FORM = [
    (name, bad)
    for name in FORMS
    for bad in MALFORMED
    if (name, bad.get("tool")) != ("inbox", "fly")  # what an inbox is asked for need not be a tool
]


@pytest.mark.parametrize(("name", "bad"), MALFORMED_BY_FORM, ids=str)
def test_an_answer_that_the_graph_could_not_take_is_refused_and_the_request_stays(letter, trace, name, bad):
    root, approval = letter(name)
    if bad.get("tool") == "burn" and name != "per_call":
        bad = {**bad, "arguments": {"text": "hello"}}
    with pytest.raises(InvalidInput):
        decide(approval, **bad)
    with pytest.raises(StaleVersion):
        decide(approval, "approve", version=approval.version + 1)
    run_all()
    assert (fresh(root).status, effects(trace)) == (SessionStatus.WAITING_APPROVAL, [])
    decide(approval, "approve")
    run_all()
    ended(root)
    assert effects(trace) == ["send:ann"]


@pytest.mark.parametrize("name", ["batched", "inbox"])
def test_another_tool_may_be_called_in_its_place_if_its_policy_allows_that(letter, trace, name):
    root, approval = letter(name)
    owner = make_member(root.project)
    rule = {"name": "no fire", "policy": "refuse", "when": {"tools": ["burn"]}, "reason": "Paper is dear."}
    made = policies.save(root.project_id, {"rules": [rule]}, expected=None, note="", by=owner)
    with pytest.raises(Forbidden, match="Paper is dear"):
        decide(approval, "approve", tool="burn", arguments={"to": "ann"})
    policies.save(root.project_id, {}, expected=made.number, note="", by=owner)
    decide(approval, "approve", tool="burn", arguments={"to": "ann"})
    run_all()
    ended(root)
    assert effects(trace) == ["burn:ann"]
    assert "burnt ann" in told(root)[0]
    assert ToolExecution.objects.get().tool_name == "burn"
    assert Approval.objects.count() == 1


@pytest.mark.parametrize("name", ["batched", "per_call"])
def test_several_calls_are_decided_one_by_one_and_the_graph_goes_on_when_it_can(graph, trace, name):
    names = ["ann", "bob", "cid", "dan"]
    root = graph(name, calls(*(("send", {"to": to}) for to in names)))
    run_all()
    waiting = {one.proposed["to"]: one for one in asked()}
    assert sorted(waiting) == names
    decide(waiting["dan"], "approve")
    decide(waiting["bob"], "reject", reason="No")
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    assert effects(trace) == ([] if name == "batched" else ["send:dan"])
    decide(waiting["cid"], "respond", reason="Done by hand")
    with pytest.raises(AlreadyDecided):
        decide(waiting["dan"], "reject", reason="Too late")
    run_all()
    decide(waiting["ann"], "approve", arguments={"to": "eve"})
    run_all()
    ended(root)
    assert effects(trace) == ["send:dan", "send:eve"]
    assert Approval.objects.count() == 4
    assert any("Done by hand" in one for one in told(root))
    assert any("No" in one for one in told(root))


def test_an_open_question_is_answered_by_what_fits_its_schema(graph):
    root = graph("open", given={"about": "the letter"})
    run_all()
    (approval,) = asked()
    assert approval.title == "Which colour for the letter?"
    assert approval.proposed["language"] == "Finnish"  # the graph's own context, from the file
    for bad in (None, "red", {"colour": "red"}, {"colour": "red", "copies": "many"}, ["red", 2]):
        with pytest.raises(InvalidInput):
            decide(approval, "respond", answer=bad)
    with pytest.raises(InvalidInput):
        decide(approval, "approve", answer={"colour": "red", "copies": 2})
    decide(approval, "respond", answer={"colour": "red", "copies": 2})
    go_on()
    assert ended(root).current_run.output == {"about": "the letter", "chosen": {"colour": "red", "copies": 2}}


def test_an_answer_that_only_the_graph_itself_finds_wrong_is_asked_for_again(graph):
    """Its validator is code, which no schema tells of."""
    root = graph("open", given={"about": "the letter"})
    run_all()
    for copies in (1, 3):
        (approval,) = asked()
        decide(approval, "respond", answer={"colour": "red", "copies": copies})
        go_on()
        assert fresh(root).status == SessionStatus.WAITING_APPROVAL, fresh(root).current_run.error
    (again,) = asked()
    assert events("verify")[0] == 0
    assert (again.pk, again.version, again.reason, again.effective) == (approval.pk, 5, "", None)
    assert again.intent.strip() == "The last answer was not taken: copies: they are printed on both sides"
    with pytest.raises(StaleVersion):
        decide(again, "respond", answer={"colour": "red", "copies": 2}, version=1)
    decide(again, "respond", answer={"colour": "red", "copies": 2})
    go_on()
    assert ended(root).current_run.output["chosen"]["copies"] == 2


@pytest.mark.parametrize("name", FORMS)
def test_a_rule_that_lets_a_call_run_answers_in_place_of_a_person(graph, trace, name):
    root = graph(name, calls(("send", {"to": "ann"})))
    rule = {"name": "letters", "policy": "run", "when": {"tools": ["send"]}}
    policies.save(root.project_id, {"rules": [rule]}, expected=None, note="", by=make_member(root.project))
    run_all()
    ended(root)
    assert effects(trace) == ["send:ann"]
    approval = Approval.objects.get()
    assert (approval.status, approval.decided_how, approval.policy_rule) == ("approved", "policy", "letters")


@pytest.mark.parametrize("name", FORMS)
def test_a_policy_that_refuses_is_obeyed_though_a_person_had_approved(letter, trace, name):
    root, approval = letter(name)
    decide(approval, "approve")
    rule = {"name": "no letters", "policy": "refuse", "when": {"tools": ["send"]}, "reason": "The post is on strike."}
    policies.save(root.project_id, {"rules": [rule]}, expected=None, note="", by=make_member(root.project))
    run_all()
    ended(root)
    assert effects(trace) == []
    assert told(root) == ["This call was refused: The post is on strike."]
    assert ToolExecution.objects.get().status == "refused"


@pytest.mark.parametrize("name", FORMS)
def test_a_refusal_by_policy_is_told_to_the_graph_in_its_own_form(graph, trace, name):
    root = graph(name, calls(("send", {"to": "ann"})))
    rule = {"name": "no letters", "policy": "refuse", "when": {"tools": ["send"]}, "reason": "On strike."}
    policies.save(root.project_id, {"rules": [rule]}, expected=None, note="", by=make_member(root.project))
    run_all()
    ended(root)
    assert (effects(trace), Approval.objects.get().status) == ([], "rejected")


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_after_a_decision_runs_the_tool_once(letter, trace, monkeypatch, name, when):
    root, approval = letter(name)
    decide(approval, "approve")
    made = langchain_guard.guarded

    def die(request, handler):
        if when == "after":
            made(request, handler)
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr("orchestrator.runtime.tool_nodes.guarded", die)
        run_to_death()
    assert effects(trace) == ([] if when == "before" else ["send:ann"])
    run_all()
    ended(root)
    assert (effects(trace), told(root)) == (["send:ann"], ["sent to ann"])
    assert (Approval.objects.count(), ToolExecution.objects.count()) == (1, 1)
    assert SessionWait.objects.filter(answered_at__isnull=True).count() == 0


def test_the_example_of_the_page_about_imported_graphs_runs(graph, trace, monkeypatch, tmp_path):
    page = (BASE_DIR / "docs" / "imported-graphs.md").read_text()
    (code,), (told_of,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "json"))
    (tmp_path / "letters.py").write_text(code)
    (tmp_path / "langgraph.json").write_text(told_of)
    lines = [calls(("post", {"to": "ann", "text": "Dear Ann"})), AIMessage("It is posted.")]
    monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda name: Script(lines=lines))
    monkeypatch.setattr(sys, "path", list(sys.path))
    imported_graphs.register(tmp_path / "langgraph.json")
    kind = agent_types.agent_type("graph.clerk")
    given = re.search(r'`(\{"messages".*?\})`', page)[1]
    root = make_mission(agent_type=kind.name, level=kind.level, run_input=json.loads(given))
    run_all()
    (approval,) = asked()
    assert (approval.allowed, root.level) == (["approve", "edit", "reject"], "specialist")
    with pytest.raises(InvalidInput):
        decide(approval, "respond", reason="I did")
    decide(approval, "approve", arguments={"to": "bob", "text": "Dear Bob"})
    run_all()
    assert ended(root).current_run.output == {"text": "It is posted."}
    assert "posted to bob" in told(root)[0]
