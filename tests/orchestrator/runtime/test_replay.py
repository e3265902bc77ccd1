"""Replays: what was kept is not done again, and nothing that was left behind runs on."""

import pytest

from agents.errors import InvalidTransition
from agents.events import store
from agents.lifecycle import ApprovalStatus, Choice, SessionStatus
from agents.models import AgentSession, Approval, Rewind, ToolExecution
from agents.roles import Level
from orchestrator import sweeper
from orchestrator.runtime import runner
from orchestrator.runtime.states import Change
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.rewinds import (
    choosing,
    fork,
    head,
    replay,
    start_of,
)
from tests.orchestrator.runtime.test_guard import decide, pending
from tests.orchestrator.runtime.test_runner import effects, fresh


@pytest.mark.parametrize(("choice", "left"), [(Choice.KEEP, ["q"]), (Choice.REPEAT, ["q", "q"]), (Choice.UNDO, ["q"])])
def test_a_replay_does_with_an_effect_what_was_chosen(mission, trace, choice, left):
    root = mission("test.worker", tool="trace_wipeably")
    run_all()
    rewind = replay(root, start_of(root), choice)
    assert effects(trace) == ([] if choice is Choice.UNDO else ["q"])
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run_id) == (SessionStatus.SUCCEEDED, rewind.run_id), ended.current_run.error
    assert (ended.current_run.command, ended.current_run.number) == ("replay", 2)
    assert ended.current_run.output == {"name": "q"}
    assert effects(trace) == left
    assert store.first_break(root.pk) is None


@pytest.mark.parametrize(("choice", "left"), [(Choice.KEEP, 4), (Choice.REPEAT, 8), (Choice.UNDO, 4)])
def test_effects_of_the_agents_below_are_kept_or_repeated_by_those_that_stand_for_them(mission, trace, choice, left):
    root = mission(below=(2, 1, 2), tool="trace_wipeably")
    run_all()
    for _ in range(2):  # twice: a call that was kept can be kept again
        replay(root, start_of(root), choice)
        run_all()
        if choice is not Choice.KEEP:
            break
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert len(effects(trace)) == left
    assert set(effects(trace)) == {f"q.{a}.0.{c}" for a in range(2) for c in range(2)}


def test_a_kept_call_that_a_person_approved_is_not_asked_again(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    decide(pending(), "approve", arguments={"name": "edited"})
    run_all()
    replay(root, start_of(root))
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run.output) == (SessionStatus.SUCCEEDED, {"name": "edited"})
    assert (effects(trace), Approval.objects.count()) == (["edited"], 1)


def test_a_repeated_call_is_asked_again(mission, trace):
    root = mission("test.three", tool="ask_to_trace")
    for _ in range(3):
        run_all()
        decide(pending(), "approve")
    run_all()
    point = start_of(root)
    chosen = choosing(root, point)
    repeated = ToolExecution.objects.get(call_key="use1")
    replay(root, point, chosen={**chosen, repeated.pk: Choice.REPEAT})
    run_all()
    assert pending().proposed == {"name": "q-1"}
    decide(pending(), "reject", reason="once is enough")
    run_all()
    ended = fresh(root)
    assert ended.current_run.output["done"] == [{"name": "q-0"}, {"refused": "once is enough"}, {"name": "q-2"}]
    assert effects(trace) == ["q-0", "q-1", "q-2"]
    assert list(
        ToolExecution.objects.filter(call_key="use1").order_by("generation").values_list("status", flat=True)
    ) == [
        "completed",
        "refused",
    ]


def test_a_kept_call_answers_only_the_same_arguments(mission, trace):
    root = mission("test.worker")
    run_all()
    point = start_of(root)
    made = fork(root, point, change=Change({"name": "other"}))
    run_all()
    assert effects(trace) == ["other", "q"]
    assert fresh(made).current_run.output == {"name": "other"}


def test_a_replay_of_a_waiting_agent_withdraws_its_questions(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    before = pending()
    replay(root, start_of(root))
    assert Approval.objects.get(pk=before.pk).status == ApprovalStatus.WITHDRAWN
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    assert pending().pk != before.pk
    decide(pending(), "approve")
    run_all()
    assert effects(trace) == ["q"]
    assert list(root.runs.order_by("number").values_list("status", flat=True)) == ["cancelled", "succeeded"]


def test_children_of_what_was_left_behind_are_stopped_and_their_questions_withdrawn(mission, trace):
    root = mission(below=(1, 1, 1), tool="ask_to_trace")
    run_all()
    old = set(AgentSession.objects.filter(root=root, parent__isnull=False).values_list("pk", flat=True))
    replay(root, start_of(root))
    assert set(AgentSession.objects.filter(pk__in=old).values_list("status", flat=True)) == {"cancelled"}
    assert Approval.objects.get().status == ApprovalStatus.WITHDRAWN
    run_all()
    sweeper.cancel_abandoned()
    decide(pending(), "approve")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q.0.0.0"]


def test_a_child_that_is_replayed_answers_its_parent_once(mission, trace):
    root = mission(below=(2, 0))
    runner.run_next(Level.QUEEN)
    for _ in range(3):  # both delegate to nobody first, which queues them again; then the first ends
        runner.run_next(Level.ARCHITECT)
    (first,) = AgentSession.objects.filter(parent=root, status=SessionStatus.SUCCEEDED)
    wait = root.waits.get()
    assert (wait.remaining, wait.succeeded) == (1, 1)
    replay(first, start_of(first))
    wait.refresh_from_db()
    assert (wait.remaining, wait.succeeded) == (2, 0)
    run_all()
    assert fresh(root).current_run.output["status"] == ["succeeded", "succeeded"]


def test_a_child_whose_parent_has_gone_on_can_be_forked_but_not_replayed(mission, trace):
    root = mission(below=(1, 1, 1))
    run_all()
    child = AgentSession.objects.get(name="q.0")
    with pytest.raises(InvalidTransition, match="gone on without"):
        replay(child, start_of(child))
    assert not Rewind.objects.exists()
    made = fork(child, start_of(child))
    sweeper.cancel_abandoned()
    run_all()
    assert (fresh(made).status, made.parent_id) == (SessionStatus.SUCCEEDED, root.pk)
    assert effects(trace) == ["q.0.0.0"]


def test_a_replay_from_the_end_has_nothing_to_do(mission, trace):
    root = mission("test.worker")
    run_all()
    with pytest.raises(InvalidTransition, match="Nothing is left"):
        replay(root, head(root))
