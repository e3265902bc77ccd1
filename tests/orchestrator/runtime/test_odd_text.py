"""Agents that leave what PostgreSQL cannot hold: NUL, half a character, things that are no JSON."""

import pytest

from agents.graphs.ports import ChildTask
from agents.lifecycle import ChildrenNeeded, SessionStatus
from agents.models import AgentMessage, DeadLetter, ToolExecution
from agents.roles import Level
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from tests.agent_types import Brief, Context, State, line
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.test_runner import fresh

ODD = "a\0b\ud800"
WITH_NUL = "a\0b"  # what is logged in a test must be text for pytest, too


@pytest.fixture
def agent(mission, own_types):
    """Makes a mission whose agent has this one node."""

    def make(node):
        agent_types.register(AgentType("test.odd", Level.QUEEN, lambda: line(node)))
        return mission("test.odd")

    return make


def test_a_result_is_kept_as_far_as_it_can_be(agent):
    root = agent(lambda state: {"result": {ODD: ODD, "sizes": {1}, "share": float("nan")}})
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.attempt) == (SessionStatus.SUCCEEDED, 1)
    assert ended.current_run.output == {"ab?": "ab?", "sizes": "{1}", "share": None}


def test_an_error_is_told_as_far_as_it_can_be(agent):
    def act(state: State) -> State:
        raise ValueError(WITH_NUL)

    root = agent(act)
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.attempt, ended.current_run.error) == (SessionStatus.FAILED, 1, "ValueError: ab")
    assert DeadLetter.objects.get().message == "ab"


def test_what_it_says_is_told_as_far_as_it_can_be(agent):
    def act(state: State, runtime: Context) -> State:
        runtime.context.voice.say(ODD)
        return {}

    root = agent(act)
    run_all()
    assert fresh(root).activity == AgentMessage.objects.get(session=root, message_type="ai").content == "ab?"


def test_an_error_of_a_tool_is_booked(agent, monkeypatch):
    def fail(caller, arguments):
        raise ValueError(WITH_NUL)

    run_tool(monkeypatch, "leave_trace", fail)

    def act(state: State, runtime: Context) -> State:
        runtime.context.tools.call("leave_trace", {"name": "q"}, key="use", intent="I must")
        return {}

    root = agent(act)
    run_all()
    assert (ToolExecution.objects.get().error_message, fresh(root).attempt) == ("ab", 1)


@pytest.mark.parametrize("part", ["name", "goal", "reason"])
def test_a_question_that_cannot_be_kept_fails_the_agent_at_once(agent, part):
    given = {"name": "a", "goal": "b", "reason": "c"} | {part: WITH_NUL}

    def act(state: State, runtime: Context) -> State:
        task = ChildTask(agent_type="test.architect", name=given["name"], goal=given["goal"], input=Brief())
        runtime.context.team.delegate([task], key="work", reason=given["reason"], needs=ChildrenNeeded.ALL)
        return {}

    root = agent(act)
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.attempt, ended.children.count()) == (SessionStatus.FAILED, 1, 0)
    assert ended.current_run.error
    assert DeadLetter.objects.get().session_id == root.pk
