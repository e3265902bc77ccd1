"""The guard: what a person did not allow does not run, and what ran is not run again."""

import json
from collections import Counter

import pytest

from agents.actor import Actor
from agents.errors import AlreadyDecided, InvalidInput
from agents.lifecycle import ApprovalStatus, ExecutionStatus, SessionStatus
from agents.models import AgentSession, Approval, SessionWait, ToolExecution
from agents.services import control, decisions, ledger
from agents.services.conclusions import Decision
from orchestrator.runtime import guard, runner, settling
from orchestrator.tools.registry import tool_named
from tests.agent_types import leave_trace, trace_by_key
from tests.factories import make_member
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.test_runner import Death, effects, expire, fresh, run_to_death
from tests.races import at_once


def decide(approval: Approval, verdict: str, **decision) -> Approval:
    return decisions.decide(
        approval.pk, Decision(verdict, **decision), by=make_member(approval.project), version=approval.version
    )


def pending() -> Approval:
    return Approval.objects.get(status=ApprovalStatus.PENDING)


def test_a_tool_that_asks_waits_for_a_person_and_then_runs_once(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    assert effects(trace) == []
    decide(pending(), "approve")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]
    row = ToolExecution.objects.get()
    assert (row.status, row.output_data, row.attempt) == (ExecutionStatus.COMPLETED, {"name": "q"}, 2)
    assert row.execution_time_ms is not None


def test_an_edit_runs_as_edited_and_the_ledger_keeps_both(mission, trace):
    mission("test.worker", tool="ask_to_trace")
    run_all()
    decide(pending(), "approve", arguments={"name": "edited"})
    run_all()
    assert effects(trace) == ["edited"]
    row = ToolExecution.objects.get()
    assert (row.input_data, row.effective_data) == ({"name": "q"}, {"name": "edited"})


def test_a_rejection_reaches_the_agent_and_nothing_runs(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    decide(pending(), "reject", reason="Not today")
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run.output) == (SessionStatus.SUCCEEDED, {"refused": "Not today"})
    assert effects(trace) == []
    assert ToolExecution.objects.get().status == ExecutionStatus.REFUSED


def test_a_tool_that_a_policy_refuses_asks_nobody(mission, trace):
    root = mission("test.worker", tool="never_trace")
    run_all()
    assert "policy" in fresh(root).current_run.output["refused"]
    assert (effects(trace), Approval.objects.count()) == ([], 0)


def test_a_decision_in_the_middle_is_not_handed_to_the_next_question(mission, trace):
    """Approve, reject, approve of three calls in one node: exactly the first and the third run."""
    mission("test.three", tool="ask_to_trace")
    verdicts = [("approve", {}), ("reject", {"reason": "no"}), ("approve", {})]
    for verdict, decision in verdicts:
        run_all()
        decide(pending(), verdict, **decision)
    run_all()
    assert effects(trace) == ["q-0", "q-2"]
    assert list(ToolExecution.objects.order_by("call_key").values_list("status", flat=True)) == [
        "completed",
        "refused",
        "completed",
    ]


def test_parallel_branches_ask_and_are_answered_one_by_one(mission, trace):
    root = mission("test.fan", tool="ask_to_trace")
    run_all()
    assert Approval.objects.filter(status=ApprovalStatus.PENDING).count() == 6
    waiting = {approval.proposed["name"]: approval for approval in Approval.objects.all()}
    for number in (4, 1, 5, 0, 3, 2):
        approval = waiting[f"q/{number}"]
        decide(approval, *(("reject",) if number % 2 else ("approve",)), **({"reason": "odd"} if number % 2 else {}))
        run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q/0", "q/2", "q/4"]


def test_what_postgresql_cannot_keep_of_a_result_costs_the_agent_nothing(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")
    odd = {"name": "a\0b\ud800", "sizes": (1, 2)}
    run_tool(monkeypatch, "leave_trace", lambda caller, arguments: odd)
    run_all()
    plain = {"name": "ab?", "sizes": [1, 2]}
    assert fresh(root).current_run.output == ToolExecution.objects.get().output_data == plain


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a\0", "It has a character that cannot be stored."),
        ("\udc80", "It has a character that cannot be stored."),
        ([float("nan")], "It has a number that is none."),
        ({"a": float("inf")}, "It has a number that is none."),
        (json.loads("[" * 300 + "]" * 300), "It is nested too deeply."),
    ],
    ids=["nul", "surrogate", "nan", "infinity", "depth"],
)
def test_an_argument_that_cannot_be_kept_is_named_and_nothing_runs(mission, trace, name, why):
    with pytest.raises(InvalidInput) as refused:
        tool_named("leave_trace").parse({"name": name})
    assert refused.value.data["fields"] == {"name": why}


def test_an_argument_that_only_looks_so_is_kept(mission, trace):
    assert tool_named("leave_trace").parse({"name": r"\u0000"}).name == r"\u0000"


def test_a_second_decision_changes_nothing(mission, trace):
    mission("test.worker", tool="ask_to_trace")
    run_all()
    approval = pending()
    decide(approval, "approve")
    with pytest.raises(AlreadyDecided):
        decide(approval, "reject", reason="no")
    run_all()
    assert effects(trace) == ["q"]


def die_in(monkeypatch, name: str, *, after: bool):
    """The worker dies in the tool, before or after its effect."""

    def die(caller, arguments):
        if after:
            leave_trace(caller, arguments)
        raise Death

    run_tool(monkeypatch, name, die)


@pytest.mark.parametrize(
    ("after", "verdict", "ran"),
    [(False, "again", ["q"]), (True, "done", ["q"]), (True, "again", ["q", "q"]), (False, "done", [])],
)
def test_what_may_have_happened_is_asked_and_not_repeated_unasked(mission, trace, monkeypatch, after, verdict, ran):
    root = mission("test.worker", tool="leave_trace")
    with monkeypatch.context() as patch:
        die_in(patch, "leave_trace", after=after)
        run_to_death()
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    assert pending().allowed == ["again", "done", "stop"]
    decide(pending(), verdict)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED, fresh(root).current_run.error
    assert effects(trace) == ran


def test_each_death_asks_anew(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")
    with monkeypatch.context() as patch:
        die_in(patch, "leave_trace", after=False)
        run_to_death()
        run_all()
        decide(pending(), "again")
        run_to_death()
        run_all()
    assert Approval.objects.count() == 2
    decide(pending(), "again")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]


def test_a_person_can_stop_an_agent_that_is_in_doubt(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")
    with monkeypatch.context() as patch:
        die_in(patch, "leave_trace", after=True)
        run_to_death()
    run_all()
    decide(pending(), "stop", reason="I look at it myself")
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run.error) == (SessionStatus.FAILED, "I look at it myself")


def test_a_late_result_takes_the_question_back_and_the_agent_goes_on(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")

    def outlive_the_lease(caller, arguments):
        expire()
        assert at_once(run_all) == [1]
        assert pending().allowed == ["again", "done", "stop"]
        return leave_trace(caller, arguments)

    with monkeypatch.context() as patch:
        run_tool(patch, "leave_trace", outlive_the_lease)
        run_all()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED, fresh(root).current_run.error
    assert effects(trace) == ["q"]
    assert Approval.objects.get().status == ApprovalStatus.WITHDRAWN
    assert fresh(root).current_run.output == {"name": "q"}


def test_a_result_that_comes_just_before_the_question_leaves_none_open(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")
    with monkeypatch.context() as patch:
        die_in(patch, "leave_trace", after=True)
        run_to_death()

    def request_late(session, row, kind, title):
        assert at_once(lambda: ledger.complete(row, row.attempt, {"name": "q"}, milliseconds=1)) == [None]
        row.refresh_from_db()
        return guard.request_for(session, row, kind, title)

    with monkeypatch.context() as patch:
        patch.setattr(settling, "request_for", request_late)
        run_all()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED, fresh(root).current_run.error
    assert (effects(trace), Approval.objects.get().status) == (["q"], ApprovalStatus.WITHDRAWN)


def test_an_idempotent_tool_is_run_again_without_asking(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    with monkeypatch.context() as patch:
        die_in(patch, "trace_again", after=False)
        run_to_death()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]


def test_a_tool_that_takes_a_key_is_run_again_with_the_same_key_without_asking(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_by_key")
    with monkeypatch.context() as patch:

        def die(caller, arguments):
            trace_by_key(caller, arguments)
            raise Death

        run_tool(patch, "trace_by_key", die)
        run_to_death()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    first, second = effects(trace)
    assert first == second
    mission("test.worker", tool="trace_by_key")
    run_all()
    assert sorted(Counter(effects(trace)).values()) == [1, 2]  # another call has another key


def test_arguments_that_were_changed_after_the_decision_do_not_run(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    decide(pending(), "approve")
    wait = SessionWait.objects.get()
    wait.answer["value"]["args"] = {"name": "forged"}
    wait.save(update_fields=["answer"])
    run_all()
    assert "changed since the decision" in fresh(root).current_run.error
    assert effects(trace) == []


def test_a_tool_that_raises_fails_the_agent_and_a_retry_may_run_it(mission, trace, monkeypatch):
    root = mission("test.worker", tool="leave_trace")

    def fail(caller, arguments):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        run_tool(patch, "leave_trace", fail)
        run_all()
    assert ToolExecution.objects.get().status == ExecutionStatus.FAILED
    assert "disk full" in fresh(root).current_run.error
    control.retry(root.pk, actor=Actor("system"))
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]
    assert AgentSession.objects.count() == 1
    assert runner.run_next(root.level) is None
