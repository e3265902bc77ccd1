"""Pauses between tries hold no thread: the agent rests in its rows, and tries are counted over all its attempts."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from agents.actor import SYSTEM
from agents.errors import Fenced
from agents.lifecycle import ExecutionStatus, SessionStatus
from agents.models import AgentMessage, AgentRun, AgentSession, ModelCall, SessionLease, SessionWait, ToolExecution
from agents.roles import Level
from agents.services import control
from agents.services.pauses import Pause
from agents.words import MessageType
from orchestrator import sweeper
from orchestrator.conf import ModelSettings, Rate
from orchestrator.resilience.breakers import State
from orchestrator.runtime import agent_types, brains, lines, runner
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.leases import heart
from tests.agent_types import Context, line
from tests.agent_types import State as AgentState
from tests.agents.chat.world import KEY, NAME, PASSAGES, PATIENT
from tests.model_server import ModelServer, Turn
from tests.orchestrator.resilience.test_breakers import breaker
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_runner import effects, fresh
from tests.orchestrator.runtime.test_tries import failing

pytestmark = pytest.mark.usefixtures("redis_client")


class Busy(ConnectionError):
    """The other side asks to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__("busy")
        self.status_code = 429
        self.headers = {"retry-after": str(seconds)}


def elapse(seconds: float = 600) -> None:
    """Let that much time pass for all who rest, and wake whose time has come."""
    past = timedelta(seconds=seconds)
    SessionWait.objects.filter(answered_at__isnull=True).update(due_at=F("due_at") - past)
    for run in AgentRun.objects.exclude(pauses={}):
        for key, kept in run.pauses.items():
            pause = Pause.of(kept)
            run.pauses[key] = Pause(pause.tries, pause.rested, pause.until - past, pause.has_turn).kept()
        run.save()
    sweeper.fire_timers()


def run_through() -> None:
    """Run all, and let all pauses pass."""
    for _ in range(9):
        run_all()
        elapse()


def test_a_long_pause_gives_the_thread_back_and_says_why(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    failing(monkeypatch, "trace_again", Busy(20))
    assert runner.run_next(Level.WORKER) == SessionStatus.WAITING_TIMER
    assert heart.held() == []
    assert not SessionLease.objects.exists()
    assert fresh(root).activity == "Leave a trace did not work (busy): second try in 20 s."
    wait = SessionWait.objects.get()
    assert (wait.subject, wait.reason) == ("the next try", fresh(root).activity)
    assert SessionWait.objects.filter(
        due_at__gt=Now() + timedelta(seconds=15), due_at__lt=Now() + timedelta(seconds=21)
    )
    assert runner.run_next(Level.WORKER) is None


def test_it_goes_on_with_the_tries_that_are_left(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    failing(monkeypatch, "trace_again", Busy(20), Busy(20))
    for _ in range(2):
        run_all()
        elapse()
    run_all()
    session = fresh(root)
    assert (session.status, session.attempt, session.current_run.crashes) == (SessionStatus.SUCCEEDED, 3, 0)
    assert effects(trace) == ["q"]
    assert ToolExecution.objects.get().tries == 3
    assert session.current_run.pauses == {}
    assert session.activity != "Leave a trace did not work (busy): third try in 20 s."


def test_tries_are_bounded_over_all_attempts(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    left = failing(monkeypatch, "trace_again", *[Busy(5)] * 20)
    run_through()
    assert len(left) == 16
    assert fresh(root).current_run.error == "Leave a trace was tried 4 times and did not work: busy"
    assert ToolExecution.objects.get().tries == 4


def test_all_pauses_together_are_bounded(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    failing(monkeypatch, "trace_again", *[Busy(70)] * 20)
    for _ in range(2):
        run_all()
        elapse()
    assert fresh(root).current_run.error == "Leave a trace was tried 2 times and did not work: busy"


def test_who_tries_again_by_a_persons_word_has_all_tries(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    left = failing(monkeypatch, "trace_again", *[Busy(5)] * 6)
    run_through()
    control.retry(root.pk, actor=SYSTEM)
    run_through()
    assert left == []
    assert ToolExecution.objects.get().tries == 3


def test_a_worker_that_dies_at_the_pause_costs_no_try(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    left = failing(monkeypatch, "trace_again", Busy(20), Busy(20))

    def die(lease: Any, stopped: Any) -> None:
        raise Fenced

    with monkeypatch.context() as dying:
        dying.setattr(runner, "settle", die)
        assert runner.run_next(Level.WORKER) is None
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    sweeper.requeue_lost()
    assert runner.run_next(Level.WORKER) == SessionStatus.WAITING_TIMER
    assert len(left) == 1
    assert ToolExecution.objects.get().status == ExecutionStatus.FAILED
    for _ in range(2):
        elapse()
        run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert ToolExecution.objects.get().tries == 3


def test_who_is_woken_early_rests_on(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_again")
    left = failing(monkeypatch, "trace_again", Busy(20), Busy(20))
    run_all()
    AgentSession.objects.filter(pk=root.pk).update(status=SessionStatus.QUEUED)
    assert runner.run_next(Level.WORKER) == SessionStatus.WAITING_TIMER
    assert len(left) == 1
    assert SessionWait.objects.count() == 1


def rest_now(mission, monkeypatch) -> AgentSession:
    """An agent between two tries."""
    root = mission("test.worker", tool="trace_again")
    failing(monkeypatch, "trace_again", Busy(20))
    run_all()
    return root


def test_cancelling_ends_a_pause_at_once(mission, trace, monkeypatch):
    root = rest_now(mission, monkeypatch)
    control.cancel(root.pk, actor=SYSTEM, reason="Enough.")
    assert fresh(root).status == SessionStatus.CANCELLED
    elapse()
    assert run_all() == 0
    assert effects(trace) == []


def test_who_is_tried_again_after_that_is_not_woken_by_the_old_timer(mission, trace, monkeypatch):
    root = rest_now(mission, monkeypatch)
    control.cancel(root.pk, actor=SYSTEM, reason="Enough.")
    control.retry(root.pk, actor=SYSTEM)
    assert not SessionWait.objects.filter(answered_at__isnull=True).exists()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_a_deadline_ends_a_pause(mission, trace, monkeypatch):
    root = rest_now(mission, monkeypatch)
    AgentSession.objects.filter(pk=root.pk).update(expires_at=Now())
    sweeper.stop_late()
    assert fresh(root).status == SessionStatus.CANCELLED


def test_who_is_paused_between_two_tries_waits_for_the_time_and_the_person(mission, trace, monkeypatch):
    root = rest_now(mission, monkeypatch)
    control.pause(root.pk, actor=SYSTEM, reason="")
    control.resume(root.pk, actor=SYSTEM)
    assert fresh(root).status == SessionStatus.WAITING_TIMER
    control.pause(root.pk, actor=SYSTEM, reason="")
    elapse()
    assert fresh(root).status == SessionStatus.PAUSED
    control.resume(root.pk, actor=SYSTEM)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED


def open_breaker(name: str) -> None:
    while breaker(name).standing().state is State.CLOSED:
        with breaker(name).passing() as passage:
            passage.failed("down")


def test_an_open_breaker_is_rested_out_and_probed(mission, trace, monkeypatch):
    name = "tool/trace_again"
    open_breaker(name)
    root = mission("test.worker", tool="trace_again")
    assert runner.run_next(Level.WORKER) == SessionStatus.WAITING_TIMER
    assert fresh(root).activity.startswith("The tool trace_again has failed too often: it is asked again in ")
    assert ToolExecution.objects.get().tries == 0
    breaker(name).redis.delete(breaker(name)._key("rest"))
    elapse()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert breaker(name).standing().state is State.CLOSED


def test_a_breaker_that_stays_open_fails_the_agent_in_the_end(mission, trace, monkeypatch):
    open_breaker("tool/trace_again")
    root = mission("test.worker", tool="trace_again")
    for _ in range(9):
        run_all()
        elapse()
    assert fresh(root).current_run.error_code == "circuit_open"


def test_a_turn_that_is_rested_for_is_taken_once(mission, trace, monkeypatch):
    monkeypatch.setattr(lines, "rates", lambda: {"trace_again": Rate(10, 60)})
    first, second = (mission("test.worker", tool="trace_again") for _ in range(2))
    run_all()
    assert {fresh(first).status, fresh(second).status} == {SessionStatus.SUCCEEDED, SessionStatus.WAITING_TIMER}
    assert AgentMessage.objects.filter(message_type=MessageType.SYSTEM, content__contains="it is its turn in").exists()
    run = AgentRun.objects.exclude(pauses={}).get()
    (kept,) = run.pauses.values()
    elapse(Pause.of(kept).left())
    run_all()
    assert fresh(second).status == SessionStatus.SUCCEEDED


def think(state: AgentState, runtime: Context) -> AgentState:
    found = runtime.context.brain.extract("How many eggs does the queen lay?", PASSAGES)
    return {"result": {"found": len(found)}}


agent_types.register(AgentType("rest.thinker", Level.WORKER, lambda: line(think)))


@pytest.fixture
def thinker(mission, monkeypatch) -> Iterator[tuple[AgentSession, ModelServer]]:
    """An agent that asks a model once, and the model's server."""
    with ModelServer() as server:
        settings = ModelSettings(NAME, server.base_url, KEY, PATIENT, 2, Decimal(1), Decimal(1))
        monkeypatch.setattr(brains, "settings_for", lambda model: settings)
        root = mission("rest.thinker")
        AgentSession.objects.filter(pk=root.pk).update(metadata={"model": NAME})
        yield root, server


def test_a_model_that_asks_to_wait_holds_no_thread(thinker):
    root, server = thinker
    server.script.append(Turn(status=429, headers={"Retry-After": "20"}))
    assert runner.run_next(Level.WORKER) == SessionStatus.WAITING_TIMER
    assert heart.held() == []
    assert fresh(root).activity.startswith("The model has too many requests: second try in 20 s.")
    elapse()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert list(ModelCall.objects.order_by("created_at").values_list("tries", flat=True)) == [1, 1]
    assert fresh(root).current_run.pauses == {}


def test_tries_of_a_model_are_bounded_over_all_attempts(thinker):
    root, server = thinker
    server.script.extend([Turn(status=503, headers={"Retry-After": "20"})] * 9)
    run_through()
    assert len(server.received) == 3
    assert "after 3 tries" in fresh(root).current_run.error
