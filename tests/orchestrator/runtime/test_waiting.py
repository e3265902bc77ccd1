"""Graphs that wait for a time or a signal: nothing is held meanwhile, and each is answered once."""

import operator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.actor import SYSTEM
from agents.errors import InvalidInput, SignalMissed
from agents.graphs.ports import AgentContext
from agents.lifecycle import SessionStatus
from agents.models import AgentEvent, AgentSession, SessionLease, SessionWait, Signal, SignalDelivery
from agents.roles import Level
from agents.services import control, signals, timers
from orchestrator import sweeper
from orchestrator.runtime import agent_types, runner
from orchestrator.runtime.agent_types import AgentType
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_runner import fresh
from tests.races import at_once


class State(TypedDict, total=False):
    name: str
    heard: Annotated[list[Any], operator.add]
    result: dict[str, Any]


Context = Runtime[AgentContext]


def nap(state: State, runtime: Context) -> State:
    runtime.context.waiting.sleep(60, key="nap", reason="it is tired")
    return {"heard": ["rested"]}


def wait_until(state: State, runtime: Context) -> State:
    runtime.context.waiting.sleep_until(datetime(2020, 1, 1, tzinfo=UTC), key="past", reason="it was")
    return {"heard": ["past"]}


def listen(state: State, runtime: Context) -> State:
    try:
        heard = runtime.context.waiting.signal("go", key="go", reason="it may not before", seconds=60)
    except SignalMissed:
        heard = "missed"
    return {"heard": [heard]}


def shout(state: State, runtime: Context) -> State:
    runtime.context.waiting.send("go", {"from": state["name"]}, key="go", everyone=True)
    return {"heard": ["shouted"]}


def end(state: State, runtime: Context) -> State:
    return {"result": {"heard": state["heard"]}}


def line(*nodes: Any) -> StateGraph[State, AgentContext, State, State]:
    graph = StateGraph(State, context_schema=AgentContext)
    last = START
    for node in (*nodes, end):
        graph.add_node(node.__name__, node)
        graph.add_edge(last, node.__name__)
        last = node.__name__
    graph.add_edge(last, END)
    return graph


for name, nodes in {
    "napper": (nap,),
    "punctual": (wait_until,),
    "listener": (listen,),
    "shouter": (shout, listen),
}.items():
    agent_types.register(AgentType(f"wait.{name}", Level.WORKER, partial(line, *nodes)))


def heard(session: AgentSession) -> Any:
    return fresh(session).current_run.output["heard"]


def let_pass() -> None:
    """The database's clock jumps behind every time that somebody waits for."""
    SessionWait.objects.filter(due_at__isnull=False).update(due_at=Now() - timedelta(seconds=1))


def test_a_timer_holds_nothing_and_fires_once_its_time_has_come(mission):
    napper = mission("wait.napper")
    run_all()
    waiting = fresh(napper)
    wait = waiting.waits.get()
    assert (waiting.status, wait.reason) == (SessionStatus.WAITING_TIMER, "it is tired")
    assert wait.due_at - wait.created_at == timedelta(seconds=60)
    assert not SessionLease.objects.exists()
    sweeper.sweep()
    assert fresh(napper).status == SessionStatus.WAITING_TIMER
    let_pass()
    assert timers.due() == [wait.pk]
    assert timers.fire(wait.pk)
    assert not timers.fire(wait.pk)
    run_all()
    assert heard(napper) == ["rested"]


def test_a_clock_that_jumps_back_after_the_timer_was_found_fires_nothing(mission):
    mission("wait.napper")
    run_all()
    let_pass()
    (due,) = timers.due()
    SessionWait.objects.update(due_at=Now() + timedelta(hours=1))
    assert not timers.fire(due)


def test_a_time_that_has_passed_is_waited_for_until_the_next_sweep(mission):
    punctual = mission("wait.punctual")
    run_all()
    sweeper.fire_timers()
    run_all()
    assert heard(punctual) == ["past"]


@pytest.mark.django_db(transaction=True)
def test_two_sweepers_fire_a_timer_once(mission):
    napper = mission("wait.napper")
    run_all()
    let_pass()
    (due,) = timers.due()
    assert sorted(at_once(*[partial(timers.fire, due)] * 4)) == [False, False, False, True]
    woken = AgentEvent.objects.filter(aggregate_id=napper.pk, event_data__cause="answered:timer")
    assert woken.count() == 1


def test_a_timer_that_fires_while_its_agent_is_paused_counts_when_it_goes_on(mission):
    napper = mission("wait.napper")
    run_all()
    control.pause(napper.pk, actor=SYSTEM, reason="")
    let_pass()
    sweeper.fire_timers()
    assert fresh(napper).status == SessionStatus.PAUSED
    control.resume(napper.pk, actor=SYSTEM)
    run_all()
    assert heard(napper) == ["rested"]


def send(mission: AgentSession, payload: Any = None, *, everyone: bool = False) -> Signal | None:
    return signals.send(mission, uuid4(), "go", payload, everyone=everyone, actor=SYSTEM)


def test_a_signal_wakes_who_waits_for_it(mission):
    listener = mission("wait.listener")
    run_all()
    assert fresh(listener).status == SessionStatus.WAITING_EVENT
    send(listener, {"n": 1})
    assert fresh(listener).status == SessionStatus.QUEUED
    run_all()
    assert heard(listener) == [{"n": 1}]


def test_a_signal_that_comes_before_the_wait_is_kept_and_the_oldest_comes_first(mission):
    listener = mission("wait.listener")
    send(listener, 1)
    send(listener, 2)
    run_all()
    assert heard(listener) == [1]
    assert Signal.objects.filter(taken_at__isnull=True).count() == 1


def test_a_signal_of_another_name_or_mission_wakes_nobody(mission):
    listener, other = mission("wait.listener"), mission("wait.listener")
    run_all()
    signals.send(listener, uuid4(), "stop", None, everyone=True, actor=SYSTEM)
    send(other)
    assert fresh(listener).status == SessionStatus.WAITING_EVENT


def test_a_wait_for_a_signal_runs_out(mission):
    listener = mission("wait.listener")
    run_all()
    let_pass()
    sweeper.sweep()
    run_all()
    assert heard(listener) == ["missed"]


def siblings(mission: AgentSession, count: int) -> list[AgentSession]:
    """More listeners in the same mission, as its other branches would have them."""
    made = []
    for number in range(count):
        made.append(AgentSession.objects.get(pk=mission.pk))
        made[-1].pk, made[-1].name, made[-1].current_run = uuid4(), f"L{number}", None
        made[-1].parent_id, made[-1].path = mission.pk, [mission.pk]
    AgentSession.objects.bulk_create(made)
    for one in made:
        one.current_run = one.runs.create(
            project_id=one.project_id, number=1, command="start", input={"name": one.name}
        )
        one.save(update_fields=["current_run"])
    return made


@pytest.mark.django_db(transaction=True)
def test_a_signal_reaches_exactly_one_wait_or_each_agent_as_asked(mission):
    root = mission("wait.listener")
    siblings(root, 4)
    run_all()
    outcomes = at_once(*[partial(send, root, n) for n in range(3)])
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    sweeper.deliver_signals()
    assert SignalDelivery.objects.count() == 3
    assert AgentSession.objects.filter(status="queued").count() == 3
    send(root, "all", everyone=True)
    run_all()
    taken = [answer["value"]["payload"] for answer in SessionWait.objects.values_list("answer", flat=True)]
    assert sorted(map(str, taken)) == ["0", "1", "2", "all", "all"]


def test_a_signal_whose_sender_died_before_it_was_delivered_is_delivered_by_the_sweeper(mission, monkeypatch):
    listener = mission("wait.listener")
    run_all()
    with monkeypatch.context() as patched:
        patched.setattr(signals, "_waiting", lambda *given: [])
        send(listener, "late")
    assert fresh(listener).status == SessionStatus.WAITING_EVENT
    sweeper.deliver_signals()
    run_all()
    assert heard(listener) == ["late"]


def test_an_agent_sends_a_signal_once_and_gets_its_own_to_everyone(mission):
    shouter = mission("wait.shouter")
    run_all()
    assert heard(shouter) == ["shouted", {"from": "q"}]
    assert Signal.objects.count() == 1


@pytest.mark.parametrize(("name", "payload"), [("", 1), ("  ", 1), ("x" * 201, 1), ("a\0b", 1), ("go", "x" * 70_000)])
def test_a_signal_that_cannot_be_taken_is_refused(mission, name, payload):
    with pytest.raises(InvalidInput):
        signals.send(mission("wait.listener"), uuid4(), name, payload, everyone=False, actor=SYSTEM)
    assert not Signal.objects.exists()


def test_a_stopped_agent_waits_for_no_signal(mission):
    listener = mission("wait.listener")
    run_all()
    control.cancel(listener.pk, actor=SYSTEM, reason="enough")
    send(listener)
    assert not SignalDelivery.objects.exists()
    runner.run_next(Level.WORKER)
    assert fresh(listener).status == SessionStatus.CANCELLED
