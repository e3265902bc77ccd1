"""Roll backs: the state is an earlier one again, nothing runs, and what could not be undone is told."""

import errno

import pytest

from agents.errors import Forbidden, InvalidInput, UndoFailed
from agents.lifecycle import Choice, ExecutionStatus, RewindStatus, SessionStatus
from agents.models import AgentState, Rewind, ToolExecution
from agents.roles import Role
from agents.services import control
from orchestrator.conf import Rate
from orchestrator.runtime import undoing
from orchestrator.runtime.effects import effects_since
from tests.agent_types import wipe_trace
from tests.factories import make_member
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.rewinds import (
    head,
    replay,
    roll_back,
    start_of,
    states,
    values,
)
from tests.orchestrator.runtime.test_guard import decide, pending
from tests.orchestrator.runtime.test_runner import SYSTEM, effects, fresh


def test_a_roll_back_copies_the_state_and_runs_nothing(mission, trace):
    root = mission("test.worker", tool="trace_wipeably")
    run_all()
    before, point = states(root), start_of(root)
    rewind = roll_back(root, point, Choice.UNDO)
    after = states(root)
    assert [state.checkpoint_id for state in after[:-1]] == [state.checkpoint_id for state in before]
    assert after[-1].checkpoint_id == head(root) == rewind.new_checkpoint_id
    assert after[-1].metadata["copied_from"] == str(point)
    assert bytes(after[-1].state_hash) == bytes(AgentState.objects.get(checkpoint_id=point).state_hash)
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert run_all() == 0
    assert effects(trace) == []
    replay(root, head(root))
    run_all()
    assert effects(trace) == ["q"]


def test_an_agent_at_work_rests_after_a_roll_back_and_goes_on_from_there(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    roll_back(root, start_of(root))
    assert (fresh(root).status, run_all()) == (SessionStatus.PAUSED, 0)
    assert control.resume(root.pk, actor=SYSTEM)
    run_all()
    decide(pending(), "approve")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]


def test_every_state_can_be_rolled_back_to_and_replayed(mission, trace):
    root = mission(below=(1, 0))
    run_all()
    points = [state.checkpoint_id for state in states(root)]
    for point in points[:-1]:
        roll_back(root, point)
        replay(root, head(root))
        run_all()
        ended = fresh(root)
        assert ended.current_run.output["names"] == ["q.0"], (point, ended.current_run.error)
        assert values(root)["steps"] == ["begin", "delegate", "end"]


def test_a_compensation_that_fails_for_a_moment_is_tried_again(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_wipeably")
    run_all()
    left = [ConnectionResetError("reset"), TimeoutError()]

    def fail_twice(caller, arguments):
        if left:
            raise left.pop()
        return wipe_trace(caller, arguments)

    run_tool(monkeypatch, "wipe_trace", fail_twice)
    roll_back(root, start_of(root), Choice.UNDO)
    assert effects(trace) == []
    undone = ToolExecution.objects.get(compensates__isnull=False)
    assert (undone.status, undone.tries) == (ExecutionStatus.COMPLETED, 3)


def test_a_failed_compensation_is_told_and_the_state_stays(mission, trace, monkeypatch):
    root = mission("test.three", tool="trace_wipeably")
    run_all()
    point, current = start_of(root), head(root)

    def fail_for_one(caller, arguments):
        if arguments.name == "q-1":
            raise OSError(errno.ENOSPC, "disk full", "/srv/traces/q-1")
        return wipe_trace(caller, arguments)

    with monkeypatch.context() as patch:
        run_tool(patch, "wipe_trace", fail_for_one)
        with pytest.raises(
            UndoFailed, match=r"undone: disk full. 1 of 3 was undone; the state has not changed"
        ) as failed:
            roll_back(root, point, Choice.UNDO)
    assert effects(trace) == ["q-0", "q-1"]
    assert head(root) == current
    names = dict(ToolExecution.objects.values_list("pk", "input_data__name"))
    assert [names[pk] for pk in failed.value.data["undone"]] == ["q-2"]
    assert (names[failed.value.data["failed"]], [names[pk] for pk in failed.value.data["left"]]) == ("q-1", ["q-0"])
    assert Rewind.objects.get().status == RewindStatus.FAILED
    found = {effect.call.input_data["name"]: effect.trouble for effect in effects_since(root.pk, point)}
    assert found == {"q-0": "", "q-1": "disk full"}
    roll_back(root, point, Choice.UNDO)
    assert (effects(trace), head(root) == current) == ([], False)
    assert list(
        ToolExecution.objects.filter(compensates__input_data__name="q-1").values_list("attempt", flat=True)
    ) == [2]


def test_compensations_keep_to_the_rate_of_their_tool(mission, trace, monkeypatch):
    root = mission("test.three", tool="trace_wipeably")
    run_all()
    point, current = start_of(root), head(root)
    with monkeypatch.context() as patch:
        patch.setattr(undoing, "rates", lambda: {"wipe_trace": Rate(2, 3600)})
        with pytest.raises(UndoFailed, match=r"its next turn would be in \d+ s\. 1 of 3 was undone"):
            roll_back(root, point, Choice.UNDO)
    assert (effects(trace), head(root)) == (["q-0", "q-1"], current)
    roll_back(root, point, Choice.UNDO)
    assert (effects(trace), head(root) == current) == ([], False)


def test_a_compensation_that_asks_needs_an_approver(mission, trace):
    root = mission("test.worker", tool="trace_wipeable_on_asking")
    run_all()
    operator = make_member(root.project, Role.OPERATOR)
    with pytest.raises(Forbidden):
        roll_back(root, start_of(root), Choice.UNDO, user=operator)
    assert (effects(trace), Rewind.objects.count()) == (["q"], 0)
    roll_back(root, start_of(root), Choice.UNDO, user=make_member(root.project, Role.APPROVER))
    assert effects(trace) == []


def test_a_compensation_that_a_policy_refuses_cannot_be_chosen(mission, trace):
    root = mission("test.worker", tool="trace_never_wiped")
    run_all()
    with pytest.raises(InvalidInput):
        roll_back(root, start_of(root), Choice.UNDO)
    assert effects(trace) == ["q"]
