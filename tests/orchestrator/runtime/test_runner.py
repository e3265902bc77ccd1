"""The runner: whatever stops an agent, the next attempt takes it up where it was, and nothing happens twice."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from agents.actor import Actor
from agents.lifecycle import SessionStatus
from agents.models import AgentEvent, AgentMessage, AgentSession, AgentState, SessionLease
from agents.roles import Level
from agents.services import control, leases
from orchestrator import sweeper
from orchestrator.runtime import runner
from tests import agent_types
from tests.orchestrator.runtime.conftest import run_all, run_tool

SYSTEM = Actor("system")


def effects(trace) -> list[str]:
    return sorted(trace.read_text().split())


def fresh(session: AgentSession) -> AgentSession:
    return AgentSession.objects.select_related("current_run").get(pk=session.pk)


def test_a_tree_of_four_levels_runs_to_its_end(mission, trace):
    root = mission(below=(2, 2, 2))
    run_all()
    ended = fresh(root)
    assert ended.status == SessionStatus.SUCCEEDED
    assert ended.current_run.output == {"names": ["q.0", "q.1"], "status": ["succeeded", "succeeded"]}
    assert AgentSession.objects.count() == 1 + 2 + 4 + 8
    assert effects(trace) == sorted(f"q.{a}.{b}.{c}" for a in range(2) for b in range(2) for c in range(2))
    assert set(AgentSession.objects.values_list("status", flat=True)) == {"succeeded"}
    assert not SessionLease.objects.exists()


def test_what_an_agent_says_is_said_once_though_its_node_runs_again(mission):
    root = mission(below=(1, 1, 1))
    run_all()
    said = AgentMessage.objects.filter(session=root, message_type="ai").order_by("created_at")
    assert [message.content for message in said] == ["q begins", "q ends"]
    assert fresh(root).activity == "q ends"


def test_an_agent_that_waits_holds_nothing(mission):
    root = mission(below=(1,))
    runner.run_next(Level.QUEEN)
    waiting = fresh(root)
    assert waiting.status == SessionStatus.WAITING_CHILDREN
    assert not SessionLease.objects.exists()
    wait = waiting.waits.get()
    assert (wait.subject, wait.reason) == ("q.0", "they work")


def test_any_of_the_children_is_enough_and_the_rest_is_stopped(mission, trace):
    root = mission(below=(3, 0), needs="any")
    runner.run_next(Level.QUEEN)
    for _ in range(4):  # each delegates to nobody first, which queues it again behind the others
        runner.run_next(Level.ARCHITECT)
    assert fresh(root).status == SessionStatus.QUEUED
    sweeper.cancel_abandoned()
    run_all()
    assert fresh(root).current_run.output["status"].count("succeeded") == 1
    assert sorted(AgentSession.objects.filter(parent=root).values_list("status", flat=True)) == [
        "cancelled",
        "cancelled",
        "succeeded",
    ]


def test_a_child_that_fails_is_named_to_its_parent(mission, monkeypatch):
    monkeypatch.setattr(agent_types, "FAILING", {"q.1"})
    root = mission(below=(2, 0))
    run_all()
    assert fresh(root).current_run.output["status"] == ["succeeded", "failed"]
    failed = AgentSession.objects.select_related("current_run").get(name="q.1")
    assert failed.current_run.error == "RuntimeError: q.1 was told to fail"


def test_an_unknown_agent_type_fails_the_session_instead_of_circling(mission):
    root = mission()
    AgentSession.objects.filter(pk=root.pk).update(agent_type="nobody.knows")
    run_all()
    assert "nobody.knows" in fresh(root).current_run.error


def test_a_failed_agent_takes_up_its_work_where_it_broke_off(mission, monkeypatch):
    monkeypatch.setattr(agent_types, "FAILING", {"q"})
    root = mission(below=(1, 0))
    run_all()
    assert fresh(root).status == SessionStatus.FAILED
    monkeypatch.setattr(agent_types, "FAILING", set())
    control.retry(root.pk, actor=SYSTEM)
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run.number) == (SessionStatus.SUCCEEDED, 2)


class Death(BaseException):
    """The worker process dies here: nothing is settled."""


def expire() -> None:
    """Let time pass until every lease has run out, and sweep. Unlike a dead worker's, this one's heart still beats:
    a beat that is under way may renew a lease once more."""
    while SessionLease.objects.exists():
        SessionLease.objects.update(until=Now() - timedelta(seconds=1))
        leases.requeue_expired()


def run_to_death() -> None:
    """Run until the worker dies, and let time pass until its lease has run out."""
    with pytest.raises(Death):
        run_all()
    expire()


@pytest.mark.parametrize("dies_at", range(1, 9))
def test_a_worker_may_die_at_any_save(mission, trace, monkeypatch, dies_at):
    """Death before the n-th write of a checkpoint or of a step's results, of any agent."""
    root = mission(below=(1, 1, 2))
    saver = type(runner.graph_for("test.queen").checkpointer)
    count = {"left": dies_at}

    def dying(write):
        def write_or_die(*args, **kwargs):
            count["left"] -= 1
            if count["left"] == 0:
                raise Death
            return write(*args, **kwargs)

        return write_or_die

    with monkeypatch.context() as patch:
        for name in ("put", "put_writes"):
            patch.setattr(saver, name, dying(getattr(saver, name)))
        for _ in range(60):
            try:
                run_all()
                break
            except Death:
                expire()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q.0.0.0", "q.0.0.1"]
    assert AgentSession.objects.count() == 5
    contents = list(AgentMessage.objects.values_list("session", "content"))
    assert len(contents) == len(set(contents))


def test_a_worker_may_die_before_it_settles(mission, trace, monkeypatch):
    root = mission(below=(1, 1, 1))

    def die(*args):
        raise Death

    for _ in range(30):
        with monkeypatch.context() as patch:
            patch.setattr(runner, "settle", die)
            with pytest.raises(Death):
                run_all()
        expire()
        if fresh(root).current_run.crashes >= 2:
            break
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q.0.0.0"]


def test_a_session_that_kills_its_worker_again_and_again_is_given_up_and_its_parent_told(mission, monkeypatch):
    root = mission(below=(1, 0))
    runner.run_next(Level.QUEEN)
    child = AgentSession.objects.get(parent=root)
    for _ in range(runner.runner_limits().max_crashes):
        leases.claim(Level.ARCHITECT, holder="dead", lease=timedelta(seconds=1), max_running=10)
        expire()
    run_all()
    assert "died 5 times" in fresh(child).current_run.error
    assert fresh(root).current_run.output["status"] == ["failed"]


def test_a_worker_that_was_only_asleep_writes_nothing_any_more(mission, trace, monkeypatch):
    """It wakes inside a node, after another attempt has taken over and finished."""
    root = mission("test.worker", tool="trace_again")

    def sleep_through(caller, arguments):
        run_tool(monkeypatch, "trace_again", agent_types.leave_trace)
        expire()
        assert runner.run_next(Level.WORKER) == SessionStatus.SUCCEEDED
        return agent_types.leave_trace(caller, arguments)

    run_tool(monkeypatch, "trace_again", sleep_through)
    assert runner.run_next(Level.WORKER) is None
    ended = fresh(root)
    assert (ended.status, ended.attempt) == (SessionStatus.SUCCEEDED, 2)
    ends = AgentEvent.objects.filter(aggregate_id=root.pk, event_data__status="succeeded", event_type="session.moved")
    assert ends.count() == 1


def test_pause_rests_at_the_next_boundary_and_resume_goes_on(mission, monkeypatch):
    root = mission(below=(1, 0))
    control.pause(root.pk, actor=SYSTEM, reason="wait")
    run_all()
    assert fresh(root).status == SessionStatus.PAUSED
    assert not AgentState.objects.filter(session=root).exists()
    assert control.resume(root.pk, actor=SYSTEM)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_a_paused_parent_takes_its_childrens_answer_when_it_resumes(mission):
    root = mission(below=(1, 0))
    runner.run_next(Level.QUEEN)
    control.pause(root.pk, actor=SYSTEM, reason="wait")
    run_all()
    assert fresh(root).status == SessionStatus.PAUSED
    control.resume(root.pk, actor=SYSTEM)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_a_running_agent_stops_at_its_next_checkpoint(mission, trace, monkeypatch):
    root = mission("test.worker")
    real = agent_types.begin

    def cancel_me(state, runtime):
        control.cancel(root.pk, actor=SYSTEM, reason="enough")
        return real(state, runtime)

    kind = runner.agent_type("test.worker")
    graph = agent_types.line(cancel_me, agent_types.use).compile(checkpointer=runner.graph_for(kind.name).checkpointer)
    monkeypatch.setattr(runner, "graph_for", lambda name: graph)
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run.error) == (SessionStatus.CANCELLED, "enough")
    assert effects(trace) == []


def test_parallel_branches_give_their_connections_back(mission, trace):
    root = mission("test.fan", tool="leave_trace")
    run_all()
    ended = fresh(root)
    assert ended.status == SessionStatus.SUCCEEDED, ended.current_run.error
    assert effects(trace) == [f"q/{n}" for n in range(6)]
