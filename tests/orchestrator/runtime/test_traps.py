"""What the engine does by itself when nobody takes care: a test for each thing that was seen to go wrong."""

import time
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.signals import connection_created
from langgraph.runtime import Runtime

from agents.checkpoints import scoped
from agents.errors import Fenced
from agents.graphs.ports import AgentContext
from agents.lifecycle import ApprovalStatus, SessionStatus
from agents.models import AgentSession, Approval, SessionWait, ToolExecution
from agents.roles import Level
from orchestrator.runtime import runner
from orchestrator.runtime.agent_types import graph_for
from orchestrator.runtime.saving import RunSaver, saver
from tests import agent_types
from tests.agent_types import State, leave_trace
from tests.agents.checkpoints.checkpoints import config_for
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.test_guard import decide, die_in, pending
from tests.orchestrator.runtime.test_runner import Death, effects, expire, fresh, run_to_death


def values(session: AgentSession) -> dict[str, Any]:
    return dict(graph_for(session.agent_type).get_state(config_for(str(session.pk))).values)


@pytest.fixture
def line_of(monkeypatch):
    """Lets the agents of the next mission go through these nodes."""

    def make(*nodes: Any) -> None:
        graph = agent_types.line(*nodes).compile(checkpointer=saver())
        monkeypatch.setattr(runner, "graph_for", lambda name: graph)

    return make


@pytest.mark.parametrize("dies_at", [1, 2, 3, 4])
def test_a_step_whose_results_are_saved_and_whose_state_is_not_is_not_the_end(mission, trace, monkeypatch, dies_at):
    """Then `next` is empty, as it is at the end."""
    root = mission("test.worker")
    saved = []

    def put(self, *arguments: Any) -> Any:
        saved.append(arguments)
        if len(saved) == dies_at:
            raise Death
        return real(self, *arguments)

    real = RunSaver.put
    with monkeypatch.context() as patch:
        patch.setattr(RunSaver, "put", put)
        run_to_death()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]
    assert values(root)["steps"] == ["begin", "use", "end"]  # and its input was given once


def test_an_answer_that_is_given_again_after_a_death_does_not_answer_the_next_question(mission, trace, monkeypatch):
    mission("test.three", tool="ask_to_trace")
    run_all()
    decide(pending(), "approve")

    def die(*arguments: Any) -> None:
        raise Death

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(runner, "settle", die)
            run_to_death()
    run_all()
    assert pending().proposed == {"name": "q-1"}
    assert effects(trace) == ["q-0"]
    assert SessionWait.objects.filter(answered_at__isnull=False).count() == 1


@pytest.mark.parametrize(("second", "ends"), [("q", SessionStatus.SUCCEEDED), ("other", SessionStatus.FAILED)])
def test_a_key_that_comes_again_answers_the_same_call_only(mission, trace, line_of, second, ends):
    """Some models number their calls anew in each turn: a first turn's result is no answer to the second's."""
    root = mission("test.worker")
    told = []

    def call(name: str, runtime: Runtime[AgentContext]) -> State:
        told.append(runtime.context.tools.call("leave_trace", {"name": name}, key="call_0", intent="I trace."))
        return {"steps": [name]}

    def first_turn(state: State, runtime: Runtime[AgentContext]) -> State:
        return call("q", runtime)

    def second_turn(state: State, runtime: Runtime[AgentContext]) -> State:
        return call(second, runtime)

    line_of(first_turn, second_turn)
    run_all()
    ended = fresh(root)
    assert ended.status == ends
    assert (ended.current_run.error_code == "ledger_conflict") == (second == "other")
    assert told == [{"name": "q"}] * (2 if second == "q" else 1)
    assert effects(trace) == ["q"]


def test_no_node_begins_after_the_lease_is_lost(mission, line_of):
    root = mission("test.worker")
    began = []

    def lose(state: State) -> State:
        expire()
        return {"steps": ["lose"]}

    def late(state: State) -> State:
        began.append("late")
        return {}

    line_of(lose, late)
    assert runner.run_next(Level.WORKER) is None
    assert began == []
    assert fresh(root).status == SessionStatus.QUEUED


def test_an_error_of_a_node_does_not_hide_that_the_lease_was_lost(mission, line_of):
    root = mission("test.worker")

    def lose_and_fail(state: State, runtime: agent_types.Context) -> State:
        expire()
        with pytest.raises(Fenced):
            runtime.context.voice.say("nobody hears this")
        raise ValueError("of the late one")

    line_of(lose_and_fail)
    assert runner.run_next(Level.WORKER) is None
    left = fresh(root)
    assert (left.status, left.current_run.error) == (SessionStatus.QUEUED, "")


def test_a_worker_that_froze_in_a_transaction_leaves_its_agent_to_the_next_one(mission, line_of):
    """The database ends such a transaction before the lease runs out: the agent has not failed by that."""
    root = mission("test.worker")
    frozen = []

    @scoped()
    def freeze(state: State) -> State:
        if not frozen:
            frozen.append(True)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 1")
                time.sleep(0.2)
                cursor.execute("SELECT 1")
        return {"steps": ["freeze"]}

    line_of(freeze)
    assert runner.run_next(Level.WORKER) is None
    assert fresh(root).status == SessionStatus.RUNNING
    expire()
    assert runner.run_next(Level.WORKER) == SessionStatus.SUCCEEDED


def test_a_tool_that_lost_the_database_may_have_had_its_effect(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")

    def lose(caller: Any, arguments: Any) -> Any:
        leave_trace(caller, arguments)
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        run_tool(patch, "leave_trace", lose)
        assert runner.run_next(Level.WORKER) is None
    expire()
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    assert effects(trace) == ["q"]
    assert pending().allowed == ["again", "done", "stop"]


@pytest.fixture
def left_open():
    """The connections of other threads that were opened and not given back."""
    opened, own = set(), connections["default"]

    def note(connection: Any, **kwargs: Any) -> None:
        if connection is not own:
            opened.add(connection)

    connection_created.connect(note)
    yield lambda: [one for one in opened if one.connection is not None]
    connection_created.disconnect(note)


@pytest.mark.parametrize("verdict", ["done", "again"])
def test_branches_whose_calls_may_have_happened_give_their_connections_back(
    mission, trace, monkeypatch, left_open, verdict
):
    root = mission("test.fan", tool="leave_trace")
    with monkeypatch.context() as patch:
        die_in(patch, "leave_trace", after=False)
        run_to_death()
    run_all()
    doubts = list(Approval.objects.filter(status=ApprovalStatus.PENDING))
    assert len(doubts) == ToolExecution.objects.count() > 1
    for doubt in doubts:
        decide(doubt, verdict)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert left_open() == []


def test_branches_give_their_connections_back(mission, trace, left_open):
    root = mission("test.fan", tool="leave_trace")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert left_open() == []
