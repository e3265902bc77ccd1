"""Forks run by themselves, and leave the original alone."""

from datetime import timedelta

import pytest

from agents.actor import SYSTEM
from agents.errors import InvalidInput, InvalidTransition
from agents.graphs.ports import Limits
from agents.lifecycle import Choice, SessionStatus
from agents.models import AgentSession, Approval
from agents.roles import Level
from agents.services import budgets
from orchestrator.runtime import runner
from orchestrator.runtime.effects import effects_since
from orchestrator.runtime.states import Change
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.rewinds import (
    choosing,
    fork,
    head,
    start_of,
    states,
)
from tests.orchestrator.runtime.test_guard import decide, pending
from tests.orchestrator.runtime.test_runner import effects, fresh


def test_a_fork_runs_by_itself_and_leaves_the_original_alone(mission, trace):
    root = mission(below=(1, 1, 2))
    run_all()
    before = AgentSession.objects.values().get(pk=root.pk), states(root)
    made = fork(root, start_of(root), Choice.REPEAT)
    run_all()
    assert fresh(made).status == SessionStatus.SUCCEEDED, fresh(made).current_run.error
    assert effects(trace) == sorted(["q.0.0.0", "q.0.0.1"] * 2)
    assert (AgentSession.objects.values().get(pk=root.pk), states(root)) == before
    assert (made.root_id, made.space_id, made.forked_from_id, made.forked_at) == (
        made.pk,
        root.space_id,
        root.pk,
        start_of(root),
    )
    assert fresh(made).origin_id == root.pk


def test_a_fork_takes_kept_results_also_in_the_agents_below(mission, trace):
    root = mission(below=(2, 1, 1))
    run_all()
    made = fork(root, start_of(root))
    run_all()
    assert fresh(made).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q.0.0.0", "q.1.0.0"]


def test_nobody_waits_for_a_fork_and_what_it_does_is_no_effect_of_those_above(mission, trace):
    root = mission(below=(1, 1, 1), tool="ask_to_trace")
    run_all()
    worker = AgentSession.objects.get(name="q.0.0.0")
    made = fork(worker, start_of(worker))
    run_all()
    for approval in Approval.objects.filter(session=made):
        decide(approval, "approve")
    run_all()
    assert fresh(made).status == SessionStatus.SUCCEEDED
    assert fresh(worker).status == SessionStatus.WAITING_APPROVAL
    assert fresh(root).status == SessionStatus.WAITING_CHILDREN
    assert effects_since(root.pk, start_of(root)) == []
    decide(pending(), "approve")
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_an_agent_can_be_forked_while_it_runs(mission, trace, monkeypatch):
    root = mission("test.worker")
    made = []

    def fork_me(caller, arguments):
        made.append(fork(fresh(root), start_of(root), chosen=choosing(root, start_of(root))))
        return {"name": arguments.name}

    with monkeypatch.context() as patch:
        run_tool(patch, "leave_trace", fork_me)
        runner.run_next(Level.WORKER)
    run_all()
    assert (fresh(root).status, fresh(made[0]).status) == (SessionStatus.SUCCEEDED, SessionStatus.SUCCEEDED)


def test_a_fork_of_the_end_needs_a_change_that_gives_it_something_to_do(mission, trace):
    root = mission("test.worker")
    run_all()
    with pytest.raises(InvalidTransition, match="Nothing is left"):
        fork(root, head(root))
    assert AgentSession.objects.count() == 1
    made = fork(root, head(root), change=Change({"name": "again"}, as_node="begin"))
    run_all()
    assert fresh(made).current_run.output == {"name": "again"}
    assert effects(trace) == ["again", "q"]


def test_a_fork_may_spend_as_much_as_its_origin_and_has_as_long(mission):
    root = mission(below=(1, 1, 1))
    root = AgentSession.objects.get(pk=root.pk)
    AgentSession.objects.filter(pk=root.pk).update(expires_at=root.created_at + timedelta(hours=2))
    budgets.set_limits(root, Limits(tokens=1000, steps=50), actor=SYSTEM)
    run_all()
    made = fresh(fork(root, start_of(root), Choice.REPEAT))
    assert made.expires_at - made.created_at == timedelta(hours=2)
    assert budgets.limits_of(made.budget) == Limits(tokens=1000, steps=50)
    run_all()
    assert fresh(made).status == SessionStatus.SUCCEEDED


def test_a_fork_below_has_no_longer_than_the_one_above(mission):
    root = mission(below=(1, 1, 1))
    run_all()
    worker = AgentSession.objects.get(name="q.0.0.0")
    soon = worker.parent.created_at + timedelta(minutes=1)
    AgentSession.objects.filter(pk=worker.parent_id).update(expires_at=soon)
    AgentSession.objects.filter(pk=worker.pk).update(expires_at=worker.created_at + timedelta(hours=1))
    assert fresh(fork(worker, start_of(worker), Choice.REPEAT)).expires_at == soon
    assert root.expires_at is None


def test_an_undo_cannot_be_chosen_for_a_fork(mission, trace):
    root = mission("test.worker", tool="trace_wipeably")
    run_all()
    with pytest.raises(InvalidInput):
        fork(root, start_of(root), Choice.UNDO)
