"""Two who run one agent: one of them writes, the other is told, and the agent's history stays one line."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from langchain_core.runnables import RunnableConfig

from agents.checkpoints import scoped
from agents.errors import Fenced
from agents.lifecycle import SessionStatus
from agents.models import AgentSession, AgentState, SessionLease, StateWrite
from agents.roles import Level
from agents.services import leases
from agents.services.leases import Holding
from orchestrator.runtime import runner
from orchestrator.runtime.leases import Lease
from orchestrator.runtime.saving import LEASE, saver
from orchestrator.runtime.states import AtRest
from tests import agent_types
from tests.agents.checkpoints.checkpoints import checkpoint_of, config_for, put
from tests.factories import make_mission
from tests.orchestrator.runtime.conftest import run_tool
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "a text that is stored once " * 20


def take_over() -> Holding:
    """The attempt of the next worker, once the lease of the one before has run out."""
    while True:  # a sweep passes over a session that somebody writes in
        SessionLease.objects.update(until=Now() - timedelta(seconds=1))
        leases.requeue_expired()
        session = leases.claim(Level.QUEEN, holder="next", lease=timedelta(minutes=1), max_running=10)
        if session is not None:
            return Holding(session.pk, session.attempt)


def config_of(holding: Holding, **names: Any) -> RunnableConfig:
    return config_for(str(holding.session_id), **{LEASE: Lease(holding), **names})


def forks(session: AgentSession) -> list[Any]:
    """Checkpoints that more than one follows, and namespaces with more than one first."""
    parents = Counter(AgentState.objects.filter(session=session).values_list("checkpoint_ns", "parent_id"))
    return [parent for parent, count in parents.items() if count > 1]


def sync_writes(config: RunnableConfig) -> list[Callable[[], object]]:
    return [
        lambda: saver().put(config, checkpoint_of({"text": LONG}, {"text": "1"}), {}, {"text": "1"}),
        lambda: saver().put_writes(config, [("text", LONG)], "stale"),
        lambda: saver().put_writes(config, [("__interrupt__", LONG)], "task"),
    ]


def async_writes(config: RunnableConfig) -> list[Callable[[], object]]:
    checkpoint = checkpoint_of({"text": LONG}, {"text": "1"})
    return [
        lambda: asyncio.run(saver().aput(config, checkpoint, {}, {"text": "1"})),
        lambda: asyncio.run(saver().aput_writes(config, [("text", LONG)], "stale")),
    ]


@pytest.mark.parametrize("writes", [sync_writes, async_writes])
def test_a_stale_attempt_is_refused_with_an_error_of_its_own_and_leaves_nothing(writes):
    make_mission()
    first = take_over()
    stored = put(saver(), config_of(first), {"text": "first"})
    names = {"checkpoint_id": stored["configurable"]["checkpoint_id"]}
    saver().put_writes(config_of(first, **names), [("__interrupt__", "asked")], "task")
    second = take_over()
    assert second.attempt == first.attempt + 1
    before = list(AgentState.objects.values()), list(StateWrite.objects.values())
    for write in writes(config_of(first, **names)):
        with pytest.raises(Fenced, match="Another attempt owns this session"):
            write()
    assert (list(AgentState.objects.values()), list(StateWrite.objects.values())) == before
    put(saver(), config_of(second, **names), {"text": "second"})


def test_a_write_holds_off_the_next_attempt_until_it_is_in():
    session = make_mission()
    first = take_over()
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    with transaction.atomic():
        put(saver(), config_of(first), {"text": LONG})
        (taken_over,) = at_once(leases.requeue_expired)
        assert taken_over == []
    assert leases.requeue_expired() == [session.pk]


def test_a_person_who_changes_a_state_is_refused_while_a_worker_runs_the_agent():
    session = make_mission()
    take_over()
    with pytest.raises(Fenced):
        put(saver(), config_for(str(session.pk), **{LEASE: AtRest()}), {"text": LONG})


def test_of_two_attempts_that_write_at_once_only_the_owner_writes():
    session = make_mission()
    first = take_over()
    stored = put(saver(), config_of(first), {"text": "first"})
    names = {"checkpoint_id": stored["configurable"]["checkpoint_id"]}
    second = take_over()

    def write(holding: Holding) -> list[str]:
        config, made = config_of(holding, **names), []
        for step in range(10):
            following = put(saver(), config, {"text": f"{holding.attempt} {step} {LONG}"})
            made.append(following["configurable"]["checkpoint_id"])
            config = config_of(holding, checkpoint_id=made[-1])
        return made

    stale, owned = at_once(partial(write, first), partial(write, second))
    assert isinstance(stale, Fenced)
    assert len(owned) == 10
    assert forks(session) == []
    assert {str(pk) for pk in AgentState.objects.values_list("checkpoint_id", flat=True)} == {
        names["checkpoint_id"],
        *owned,
    }


def test_a_takeover_amid_writes_makes_no_second_branch():
    """The writes of the first attempt and the claim of the second meet in any order."""
    session = make_mission()
    first, barrier = take_over(), Barrier(2)

    def write() -> None:
        config = config_of(first)
        barrier.wait()
        for step in range(200):
            stored = put(saver(), config, {"text": f"first {step}"})
            config = config_of(first, checkpoint_id=stored["configurable"]["checkpoint_id"])

    @scoped()
    def follow() -> None:
        barrier.wait()
        while not AgentState.objects.exists():
            pass
        second = take_over()
        for step in range(5):
            latest = saver().get_tuple(config_of(second))
            assert latest is not None
            names = {"checkpoint_id": latest.config["configurable"]["checkpoint_id"]}
            put(saver(), config_of(second, **names), {"text": f"second {step}"})

    stale, done = at_once(write, follow)
    assert isinstance(stale, Fenced)
    assert done is None
    assert forks(session) == []


def test_two_workers_that_run_one_agent_make_one_history(mission, trace, monkeypatch):
    """The first is inside a node when the second takes over, and both go on at the same time."""
    root = mission("test.worker", tool="trace_again")
    both = Barrier(2)

    def meet(caller: Any, arguments: Any) -> Any:
        both.wait(60)
        return agent_types.leave_trace(caller, arguments)

    def start_the_second(caller: Any, arguments: Any) -> Any:
        run_tool(monkeypatch, "trace_again", meet)
        SessionLease.objects.update(until=Now() - timedelta(seconds=1))
        leases.requeue_expired()
        second.set_result(pool.submit(scoped()(runner.run_next), Level.WORKER))
        return meet(caller, arguments)

    second: Future[Future[SessionStatus | None]] = Future()
    with ThreadPoolExecutor(1) as pool:
        run_tool(monkeypatch, "trace_again", start_the_second)
        assert runner.run_next(Level.WORKER) is None
        assert second.result().result() == SessionStatus.SUCCEEDED
    root.refresh_from_db()
    assert (root.status, root.attempt) == (SessionStatus.SUCCEEDED, 2)
    assert forks(root) == []
