"""Tools and models that fail for a while: tried again where that harms nothing, in view, and never against an order."""

import threading

import pytest

from agents.errors import CircuitOpen, HandedBack, NotBegun
from agents.ids import new_id
from agents.lifecycle import ExecutionStatus, SessionStatus
from agents.models import AgentMessage, AgentSession, ToolExecution
from agents.roles import Level
from agents.services import leases, messages
from agents.services.leases import Holding
from agents.words import MessageType
from orchestrator.conf import runner_limits
from orchestrator.resilience.breakers import State, names
from orchestrator.runtime import lines, runner
from orchestrator.runtime.leases import Lease
from orchestrator.runtime.lines import ModelLine
from tests.agent_types import leave_trace
from tests.orchestrator.resilience.test_breakers import breaker
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.test_runner import effects, fresh

pytestmark = pytest.mark.usefixtures("redis_client")


def failing(monkeypatch, tool: str, *errors: Exception) -> list[Exception]:
    """The tool raises these one after the other and then works; what is left of them."""
    left = list(errors)

    def run(caller, arguments):
        if left:
            raise left.pop(0)
        return leave_trace(caller, arguments)

    run_tool(monkeypatch, tool, run)
    return left


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Pauses are told but not slept."""
    monkeypatch.setattr(lines, "SILENT", 0)
    monkeypatch.setattr(lines, "LONGEST_SLEEP", float("inf"))
    monkeypatch.setattr(Lease, "rest", lambda lease, seconds: None)


def test_an_idempotent_tool_is_tried_again_and_its_row_says_how_often(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    failing(monkeypatch, "trace_again", ConnectionResetError("reset"), TimeoutError())
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]
    row = ToolExecution.objects.get()
    assert (row.status, row.tries, row.error_message) == (ExecutionStatus.COMPLETED, 3, "")


def test_people_see_that_it_is_tried_again(mission, trace, monkeypatch):
    mission("test.worker", tool="trace_again")
    failing(monkeypatch, "trace_again", ConnectionResetError("reset by peer"))
    run_all()
    said = AgentMessage.objects.get(message_type=MessageType.SYSTEM).content
    assert said.startswith("Leave a trace did not work (reset by peer): second try in ")


def test_a_tool_that_must_run_once_is_not_tried_again(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")
    left = failing(monkeypatch, "leave_trace", ConnectionResetError("reset"), TimeoutError())
    run_all()
    assert fresh(root).status == SessionStatus.FAILED
    assert len(left) == 1
    assert ToolExecution.objects.get().tries == 1


def test_unless_it_says_that_it_had_not_begun(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")
    failing(monkeypatch, "leave_trace", NotBegun("no room"), NotBegun("no room"))
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]


def test_a_tool_that_never_works_is_given_up_with_a_reason(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    failing(monkeypatch, "trace_again", *[TimeoutError("too slow")] * 9)
    run_all()
    run = fresh(root).current_run
    assert (run.error_code, run.error) == ("tool_gave_up", "Leave a trace was tried 4 times and did not work: too slow")
    assert ToolExecution.objects.get().tries == 4


def test_the_breaker_of_a_tool_opens_for_all_agents(mission, trace, monkeypatch):
    failing(monkeypatch, "trace_again", *[TimeoutError("too slow")] * 5)
    first, second, third = (mission("test.worker", tool="trace_again") for _ in range(3))
    run_all()
    assert fresh(first).current_run.error_code == "tool_gave_up"
    assert fresh(second).current_run.error_code == "circuit_open"
    assert "left alone until" in fresh(third).current_run.error
    assert breaker("tool/trace_again").standing().state is State.OPEN
    assert ToolExecution.objects.filter(session=third, status=ExecutionStatus.PENDING, tries=0).exists()


def test_bad_arguments_and_rules_are_no_fault_of_the_tool(mission, trace, monkeypatch):
    failing(monkeypatch, "trace_again", *[ValueError("a bug")] * 20)
    for _ in range(6):
        mission("test.worker", tool="trace_again")
    run_all()
    assert breaker("tool/trace_again").standing().state is State.CLOSED


def claimed(mission) -> tuple[AgentSession, Lease]:
    root = mission("test.queen")
    limits = runner_limits()
    leases.claim(Level.QUEEN, holder="here", lease=limits.lease, max_running=9)
    return root, Lease(Holding(root.pk, 1))


def test_a_model_that_is_tried_again_is_what_the_agent_does_now(mission):
    root, lease = claimed(mission)
    with ModelLine(lease, "openai:x").calling({}) as call:
        call.rest(8, 3, "The model did not answer in time")
    assert fresh(root).activity == "The model did not answer in time: third try in 8 s."


def test_what_it_does_is_what_it_last_said_once_the_model_answers(mission):
    root, lease = claimed(mission)
    with lease.writing() as session:
        messages.say(session, new_id(), "I read")
    with ModelLine(lease, "openai:x").calling({}) as call:
        call.rest(8, 2, "The model failed (503)")
        with call.passing() as passage:
            passage.worked()
    assert fresh(root).activity == "I read"


def fail(line: ModelLine, *, times: int) -> None:
    """As many calls fail, each for good."""
    for number in range(times):
        with line.calling({"number": number}) as call, call.passing() as passage:
            passage.failed("down")


def test_an_open_breaker_of_a_model_refuses_once_all_pauses_are_used_up(mission):
    _, lease = claimed(mission)
    fail(ModelLine(lease, "openai:x"), times=5)
    with (
        pytest.raises(CircuitOpen, match="openai:x has failed too often"),
        ModelLine(lease, "openai:x").calling({}) as call,
        call.passing(),
    ):
        raise AssertionError("let through")


def test_the_same_model_at_another_address_has_a_breaker_of_its_own(mission):
    _, lease = claimed(mission)
    fail(ModelLine(lease, "openai:x", "http://name:secret@old:1/v1"), times=5)
    assert names() == ["model/openai:x@old:1"]
    with ModelLine(lease, "openai:x", "http://new:1/v1").calling({}) as call, call.passing() as passage:
        passage.worked()


def test_a_pause_gives_way_to_a_person_at_once(mission, monkeypatch):
    monkeypatch.undo()  # real pauses
    _, lease = claimed(mission)
    threading.Timer(0.1, lease.control.request_drain).start()
    with pytest.raises(HandedBack):
        lease.rest(600)


def test_an_agent_that_is_stopped_in_a_pause_is_queued_again_and_no_crash_counted(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    failing(monkeypatch, "trace_again", TimeoutError())

    def stop(lease: Lease, seconds: float) -> None:
        raise HandedBack

    with monkeypatch.context() as patch:
        patch.setattr(Lease, "rest", stop)
        assert runner.run_next(Level.WORKER) == SessionStatus.QUEUED
    session = fresh(root)
    assert (session.attempt, session.current_run.crashes) == (1, 0)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]
