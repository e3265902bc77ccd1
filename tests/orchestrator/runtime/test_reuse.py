"""Reuse: equal work is answered by what was kept, never across projects, and the ledger says so."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from agents.lifecycle import ExecutionStatus, Policy, ReuseKind, Risk, SessionStatus
from agents.models import KeptResult, ModelCall, ToolExecution
from agents.selectors import reuse as selectors
from agents.services import reuse
from agents.services.reuse import Work
from orchestrator.runtime import guard
from orchestrator.tools import registry
from orchestrator.tools.tool import Reuse
from tests.agent_types import leave_trace
from tests.factories import make_mission, make_project
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.test_runner import effects, fresh

pytestmark = pytest.mark.usefixtures("redis_client")
DAY = timedelta(days=1)


@pytest.fixture
def reused(monkeypatch):
    """A tool whose results are reused in its project; its trace says how often it really ran."""
    tool = replace(registry.tool_named("look_around"), run=leave_trace, reuse=Reuse.PROJECT)
    monkeypatch.setitem(registry._TOOLS, "look_around", tool)
    return tool


def start(project=None, name="q"):
    return make_mission(
        project, agent_type="test.worker", level="worker", run_input={"name": name, "tool": "look_around"}
    )


@pytest.mark.django_db(transaction=True)
def test_equal_work_in_a_project_is_done_once_and_the_ledger_says_so(reused, trace):
    first = start()
    run_all()
    second = start(first.project)
    run_all()
    assert fresh(second).current_run.output == fresh(first).current_run.output == {"name": "q"}
    assert effects(trace) == ["q"]
    done, taken = (ToolExecution.objects.get(session=session) for session in (first, second))
    assert (done.is_reused, taken.is_reused, taken.answered_from) == (False, True, done)
    assert (taken.status, taken.output_data, taken.tries) == (ExecutionStatus.COMPLETED, {"name": "q"}, 0)
    assert selectors.by_mission(second.pk).reused == 1
    assert selectors.by_mission(first.pk).reused == 0
    assert selectors.by_project(first.project_id).rate == 50


@pytest.mark.django_db(transaction=True)
def test_another_project_never_learns_of_it(reused, trace):
    start()
    start()
    run_all()
    assert effects(trace) == ["q", "q"]


@pytest.mark.django_db(transaction=True)
def test_other_arguments_another_version_and_another_mission_are_other_work(reused, trace, monkeypatch):
    first = start()
    run_all()
    start(first.project, name="r")
    run_all()
    monkeypatch.setitem(registry._TOOLS, "look_around", replace(reused, version="2"))
    start(first.project)
    run_all()
    monkeypatch.setitem(registry._TOOLS, "look_around", replace(reused, reuse=Reuse.MISSION))
    start(first.project)
    start(first.project)
    run_all()
    assert effects(trace) == ["q", "q", "q", "q", "r"]


@pytest.mark.django_db(transaction=True)
def test_a_call_may_want_a_fresh_result(reused, trace, monkeypatch):
    first = start()
    run_all()
    call = guard.Guard.call
    monkeypatch.setattr(guard.Guard, "call", lambda *args, **options: call(*args, **options, fresh=True))
    start(first.project)
    run_all()
    assert effects(trace) == ["q", "q"]


@pytest.mark.django_db(transaction=True)
def test_what_is_too_old_is_done_again(reused, trace):
    first = start()
    run_all()
    KeptResult.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    start(first.project)
    run_all()
    assert effects(trace) == ["q", "q"]


@pytest.mark.django_db(transaction=True)
def test_a_failure_is_not_kept(reused, trace, monkeypatch):
    def fail(caller, arguments):
        raise ValueError("no")

    run_tool(monkeypatch, "look_around", fail)
    first = start()
    run_all()
    assert fresh(first).status == SessionStatus.FAILED
    assert not KeptResult.objects.exists()


def test_a_tool_that_changes_the_world_cannot_be_reused():
    with pytest.raises(ValueError, match="does not only read"):
        replace(registry.tool_named("leave_trace"), reuse=Reuse.PROJECT)


def work(project, number=0) -> Work:
    return Work(project.pk, ReuseKind.TOOL, "search", {"n": number})


@pytest.mark.django_db
def test_a_project_keeps_no_more_than_its_number_and_what_is_used_stays():
    project, other = make_project(), make_project()
    for number in range(6):
        reuse.keep(work(project, number), {"n": number}, origin_id=uuid4(), life=DAY)
        KeptResult.objects.filter(key=work(project, number).key).update(
            used_at=timezone.now() - timedelta(hours=6 - number)
        )
    reuse.keep(work(other), {}, origin_id=uuid4(), life=DAY)
    reuse.keep(work(other, 1), {}, origin_id=uuid4(), life=timedelta(0))
    assert reuse.find(work(project)).result == {"n": 0}
    assert reuse.forget_excess(3) == 4
    kept = [number for number in range(6) if reuse.find(work(project, number))]
    assert kept == [0, 4, 5]
    assert reuse.find(work(other))


@pytest.mark.django_db
def test_what_is_too_large_or_no_json_column_takes_is_not_kept():
    project = make_project()
    assert not reuse.keep(work(project), {"text": "x" * reuse.LARGEST}, origin_id=uuid4(), life=DAY)
    assert not reuse.keep(work(project), {"text": "a\0b"}, origin_id=uuid4(), life=DAY)
    assert reuse.find(work(project)) is None


@pytest.mark.django_db
def test_a_newer_result_takes_the_place_of_the_older():
    project = make_project()
    for number in range(2):
        reuse.keep(work(project), {"n": number}, origin_id=uuid4(), life=DAY, tokens=number, cost=Decimal(number))
    kept = reuse.find(work(project))
    assert (kept.result, kept.tokens, kept.hits) == ({"n": 1}, 1, 1)
    assert not ModelCall.objects.exists()


def call_of(session, number: int, **fields) -> None:
    """A row of the ledger as some past of its session left it."""
    ToolExecution.objects.create(
        execution_id=uuid4(),
        project=session.project,
        session=session,
        call_key=f"call:{number}",
        tool_name="look_around",
        tool_version="1",
        risk=Risk.LOW,
        policy=Policy.RUN,
        input_digest="",
        **{"status": ExecutionStatus.COMPLETED} | fields,
    )


def model_call_of(session, **fields) -> None:
    ModelCall.objects.create(call_id=uuid4(), project=session.project, session=session, duration_ms=1, **fields)


PASTS = {
    "a call that ran": ({}, (1, 0)),
    "one that was answered by a kept result": ({"is_reused": True}, (1, 1)),
    "one that was tried three times": ({"tries": 3}, (1, 0)),
    "one that failed": ({"status": ExecutionStatus.FAILED}, (1, 0)),
    "one that was refused": ({"status": ExecutionStatus.REFUSED}, (0, 0)),
    "one that a rewind went behind": ({"superseded_at": timezone.now()}, (1, 0)),
    "a reused one that a rewind went behind": ({"is_reused": True, "superseded_at": timezone.now()}, (1, 1)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("past", PASTS)
def test_each_past_of_a_call_counts_once_or_not_at_all(past):
    session = make_mission()
    fields, (calls, reused) = PASTS[past]
    call_of(session, 1, **fields)
    found = selectors.by_mission(session.pk)
    assert (found.calls, found.reused) == (calls, reused)
    assert selectors.by_project(session.project_id) == found


@pytest.mark.django_db
def test_a_fork_s_copy_of_a_call_is_no_call_of_its_own():
    origin = make_mission()
    fork = make_mission(origin.project)
    call_of(origin, 1)
    call_of(fork, 1, kept_from=ToolExecution.objects.get(session=origin))
    call_of(fork, 2, is_reused=True)
    assert (selectors.by_mission(fork.pk).calls, selectors.by_mission(fork.pk).rate) == (1, 100)
    assert (selectors.by_project(origin.project_id).calls, selectors.by_project(origin.project_id).rate) == (2, 50)


@pytest.mark.django_db
def test_what_batches_saved_is_not_said_to_be_reused_and_the_other_way_round():
    session = make_mission()
    model_call_of(session, tasks=3, saved_tokens=500, saved_cost=Decimal("0.5"))
    model_call_of(session, is_reused=True, saved_tokens=70, saved_cost=Decimal("0.07"))
    model_call_of(session, tasks=2, saved_tokens=30, saved_cost=Decimal("0.03"), tries=4)
    assert selectors.by_mission(session.pk) == selectors.Saved(3, 1, 70, Decimal("0.07"))
    assert selectors.batched_in_mission(session.pk) == selectors.Batched(0, 0, 3, 530, Decimal("0.53"))
    assert selectors.batched_in_project(session.project_id) == selectors.batched_in_mission(session.pk)
