"""Budgets: a warning at four fifths, a question at the whole, and nobody spends while it is open."""

from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from agents.actor import SYSTEM
from agents.errors import InvalidInput
from agents.graphs.ports import Limits, Usage
from agents.ids import new_id
from agents.lifecycle import SessionStatus
from agents.models import AgentEvent, AgentSession, Approval, Budget, SessionWait, Spending
from agents.roles import Level, Role
from agents.services import budgets, messages, sessions, spending, subtrees
from orchestrator import sweeper
from orchestrator.actions import approvals as actions
from orchestrator.actions import missions
from orchestrator.runtime import runner
from tests import agent_types
from tests.factories import make_member
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_runner import effects, fresh
from tests.races import at_once


@transaction.atomic
def limit(session: AgentSession, **limits) -> None:
    budgets.set_limits(sessions.lock(session.pk), Limits(**limits), actor=SYSTEM)


def spent(session: AgentSession) -> Limits:
    return spending.below(fresh(session))


def decide(approval: Approval, verdict: str = "approve", **given) -> Approval:
    user = make_member(approval.project, Role.APPROVER)
    return actions.decide(
        user, approval.pk, verdict=verdict, version=approval.version, arguments=given or None, reason="because"
    )


def test_what_is_spent_is_counted_by_agent_and_added_up(mission):
    root = mission(below=(2, 1))
    run_all()
    assert spent(root).children == 4
    assert spent(root).steps == Spending.objects.count() * 3
    child = AgentSession.objects.get(name="q.0")
    assert (spent(child).children, spent(child).steps) == (1, 6)


def test_a_model_call_is_charged_to_the_budget(mission):
    root = mission("test.worker")
    usage = Usage("m", "p", 100, 20, "0.25", 1, 5)
    for _ in range(2):
        messages.charge(root, new_id(), usage)
    assert (spent(root).tokens, spent(root).cost) == (240, Decimal("0.5"))


def test_a_warning_comes_once_at_four_fifths(mission):
    root = mission(below=(3, 0))
    limit(root, steps=14, tokens=10)
    run_all()
    assert spent(root).steps == 12
    assert Budget.objects.get().warned == ["steps"]
    assert AgentEvent.objects.filter(event_type="budget.warned").count() == 1


def test_at_the_whole_the_mission_asks_and_nobody_spends_until_it_is_decided(mission, trace):
    root = mission(below=(3, 1, 1))
    limit(root, steps=5)
    run_all()
    approval = Approval.objects.get()
    assert (approval.session_id, approval.kind, approval.proposed) == (root.pk, "budget", {"steps": 8})
    assert "steps 5 of 5" in approval.intent
    assert not AgentSession.objects.filter(status__in=["running", "queued", "failed"]).exists()
    assert spent(root).steps == 5
    decide(approval, steps=1000)
    assert set(SessionWait.objects.filter(kind="budget").values_list("answered_at", flat=True).distinct()) != {None}
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == [f"q.{n}.0.0" for n in range(3)]
    assert Budget.objects.get().steps == 1000


def test_a_budget_that_is_used_up_before_the_first_step_lets_nobody_begin(mission):
    root = mission(below=(0,))
    limit(root, tokens=10)
    spending.count(root.pk, tokens=10)
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    assert spent(root).steps == 0
    decide(Approval.objects.get(), tokens=11)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_a_budget_for_agents_asks_before_there_are_too_many(mission, trace):
    root = mission(below=(3, 0))
    limit(root, children=2)
    run_all()
    assert AgentSession.objects.count() == 1
    decide(Approval.objects.get(), children=3)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert AgentSession.objects.count() == 4


def test_a_budget_raised_and_used_up_again_asks_again(mission):
    root = mission(below=(3, 0))
    limit(root, steps=2)
    run_all()
    decide(Approval.objects.get(), steps=6)
    run_all()
    first, second = Approval.objects.order_by("created_at")
    assert (first.status, second.status) == ("approved", "pending")
    decide(second, steps=60)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_to_refuse_more_stops_the_mission(mission):
    root = mission(below=(3, 1))
    limit(root, steps=5)
    run_all()
    decide(Approval.objects.get(), verdict="reject")
    assert not AgentSession.objects.active().exists()
    assert fresh(root).current_run.error == "because"
    assert not SessionWait.objects.filter(answered_at__isnull=True).exists()


def test_other_limits_that_leave_room_take_the_question_back(mission):
    root = mission(below=(3, 1))
    limit(root, steps=5)
    run_all()
    user = make_member(root.project, Role.OPERATOR)
    missions.set_limits(user, root.pk, Limits(steps=4), minutes=None)
    assert Approval.objects.get().status == "pending"
    missions.set_limits(user, root.pk, Limits(steps=500), minutes=None)
    assert Approval.objects.get().status == "withdrawn"
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_a_raise_that_would_be_used_up_at_once_is_refused(mission):
    root = mission(below=(3, 0))
    limit(root, steps=5)
    run_all()
    with pytest.raises(InvalidInput) as refused:
        decide(Approval.objects.get(), steps=5)
    assert refused.value.data["fields"] == {"steps": "5 are spent already: give more than that."}
    assert Approval.objects.get().status == "pending"


def test_the_sweeper_lets_those_go_on_whose_release_died(mission, monkeypatch):
    root = mission(below=(3, 1))
    limit(root, steps=5)
    run_all()
    with monkeypatch.context() as patched:
        patched.setattr(budgets, "release", lambda named: None)
        decide(Approval.objects.get(), steps=100)
    assert AgentSession.objects.filter(status="waiting_approval").exists()
    sweeper.release_paid()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_an_undecided_budget_is_not_released(mission):
    root = mission(below=(3, 1))
    limit(root, steps=5)
    run_all()
    assert SessionWait.objects.filter(kind="budget").count() > 1
    assert budgets.unreleased() == []


def test_a_child_has_a_part_and_asks_for_itself_when_that_is_used_up(mission):
    root = mission(below=(2, 0))
    limit(root, steps=100)
    runner.run_next(Level.QUEEN)
    one, two = AgentSession.objects.filter(parent=root).order_by("position")
    with transaction.atomic():
        part = budgets.part_of(sessions.lock(root.pk), Limits(steps=1000, tokens=5))
        assert part == Limits(steps=100, tokens=5)
    limit(one, steps=1)
    run_all()
    assert Approval.objects.get().session_id == one.pk
    assert (fresh(one).status, fresh(two).status) == (SessionStatus.WAITING_APPROVAL, SessionStatus.SUCCEEDED)


def test_a_stopped_holder_takes_its_question_back(mission):
    root = mission(below=(3, 1))
    limit(root, steps=5)
    run_all()
    subtrees.cancel(root.pk, actor=SYSTEM, reason="enough")
    assert Approval.objects.get().status == "withdrawn"
    assert not SessionWait.objects.filter(answered_at__isnull=True).exists()


@pytest.mark.parametrize("limits", [{"steps": 0}, {"tokens": -1}, {"cost": Decimal(0)}])
def test_a_limit_of_nothing_is_refused(mission, limits):
    with pytest.raises(InvalidInput):
        limit(mission(), **limits)


@pytest.mark.django_db(transaction=True)
def test_agents_that_run_at_once_overspend_by_one_step_each_and_ask_once(mission, trace):
    root = mission(below=(8, 0))
    runner.run_next(Level.QUEEN)
    limit(root, steps=6)
    outcomes = at_once(*[partial(runner.run_next, Level.ARCHITECT) for _ in range(8)])
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    assert spent(root).steps <= 6 + 8
    run_all()
    assert Approval.objects.count() == 1
    assert set() == agent_types.FAILING
    decide(Approval.objects.get(), steps=100)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
