"""Runs the best queued agent of a level: claim, run its graph, settle."""

import logging
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained, GraphRecursionError, is_invalid_resume
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot
from pydantic import ValidationError

from agents.checkpoints.connections import DATABASE_AWAY
from agents.errors import DomainError, Fenced, HandedBack, Resting, WorkerDied
from agents.events import causes
from agents.lifecycle import SessionStatus
from agents.models import AgentRun, AgentSession
from agents.roles import Level
from agents.services import leases, waits
from agents.services.leases import Holding
from orchestrator import dispatch
from orchestrator.conf import runner_limits
from orchestrator.runtime.agent_types import agent_type, graph_for
from orchestrator.runtime.answering import answer_open
from orchestrator.runtime.berths import berths
from orchestrator.runtime.context import context_for, respondent_for
from orchestrator.runtime.durability import Held
from orchestrator.runtime.holders import this_process
from orchestrator.runtime.leases import Lease, heart
from orchestrator.runtime.metering import Meter
from orchestrator.runtime.passing import unwrapped
from orchestrator.runtime.saving import GUARD, HELD, LEASE, METER, saver
from orchestrator.runtime.settling import Failure, Rest, Untaken, faults_of, settle

log = logging.getLogger(__name__)


def run_next(level: Level) -> SessionStatus | None:
    """Run the best queued session of `level` until it ends, waits or is stopped.

    Its status afterwards; None when there was nothing to do, or when it is left to the next attempt: another one
    has taken over, or the database does not answer and the lease will run out.
    """
    if heart.is_draining:
        dispatch.ring(level)  # for a worker that stays
        return None
    try:
        session = _claim(level)
    except DATABASE_AWAY as error:
        log.warning("The database does not answer, no %s is run: %s", level, error)
        return None
    if session is None:
        return None
    pauses = session.current_run.pauses if session.current_run else {}
    lease = Lease(Holding(session.pk, session.attempt), pauses=dict(pauses))
    with berths.taken(session.project_id), heart.keeping(lease), causes.caused_by(session.move_id):
        try:
            stopped = _run(session, lease)
            return None if lease.lost else _settle(lease, stopped)
        except Fenced:
            log.info("Attempt %d of %s was taken over.", session.attempt, session.pk)
        except DATABASE_AWAY as error:
            log.warning("The database went away under %s; its lease runs out: %s", session.pk, error)
    return None


def _settle(lease: Lease, stopped: StateSnapshot | Failure | Rest | Untaken) -> SessionStatus | None:
    """Settle; an agent that leaves something that cannot be kept has failed, or it would come to that for ever."""
    try:
        return settle(lease, stopped)
    except (Fenced, *DATABASE_AWAY):
        raise
    except Exception as error:
        log.exception("%s left what cannot be kept.", lease.holding.session_id)
        return settle(lease, Failure.of(error))


def _claim(level: Level) -> AgentSession | None:
    limits = runner_limits()
    full = berths.full(limits.project_share)
    return leases.claim(level, holder=this_process(), lease=limits.lease, max_running=limits.max_running, full=full)


def _run(session: AgentSession, lease: Lease) -> StateSnapshot | Failure | Rest | Untaken:
    """Run the graph to its next stop. What goes wrong is a failure; a lost lease or database is not."""
    try:
        return _drive(session, _runnable(session), lease)
    except (Fenced, *DATABASE_AWAY):
        raise
    except GraphRecursionError:
        return Failure(f"The agent took more than {runner_limits().max_steps} steps.", "too_many_steps")
    except Exception as error:
        if lease.lost:  # a node's own error hides the Fenced behind it
            raise Fenced from error
        if not isinstance(error, DomainError):
            log.exception("%s failed.", session.pk)
        return Failure.of(error)


def _runnable(session: AgentSession) -> AgentRun:
    run = session.current_run
    if run is None:
        raise DomainError(f"{session.pk} has no run.")
    if run.crashes >= runner_limits().max_crashes:
        raise WorkerDied(f"The worker died {run.crashes} times at the same step of this agent; it was given up.")
    return run


def _drive(session: AgentSession, run: AgentRun, lease: Lease) -> StateSnapshot | Rest | Untaken:
    held = _held(session.agent_type)
    config: RunnableConfig = {
        "configurable": {"thread_id": str(session.pk), LEASE: lease, HELD: held, "__pregel_strict_resume": True},
        "metadata": {"run_id": str(run.pk)},
        "recursion_limit": runner_limits().max_steps,
    }
    graph = graph_for(session.agent_type)
    before = graph.get_state(config)
    if session.control:
        lease.control.request_drain(session.control)
    context = context_for(session, run, lease, held)
    answer = partial(answer_open, session, lease, respondent_for(session, context))
    if before.created_at is not None:
        answer(before.values)
    if _has_ended(before, run) or _still_waits(session, before):
        return before
    given = _given(session.pk, run, before)
    config["configurable"] |= {METER: Meter(session, lease), GUARD: context.tools}
    connection.close()  # nothing is kept open while the agent thinks
    try:
        broken = _stream(graph, given, config, agent_type(session.agent_type).context(context), lease)
    finally:
        if held is not None:
            held.write()
    after = graph.get_state(config)
    answer(after.values)
    if isinstance(broken, ValidationError):
        return Untaken(after, frozenset(given.resume), faults_of(broken))
    return Rest(after, broken) if broken else after


def _stream(
    graph: CompiledStateGraph[Any, Any, Any, Any], given: Any, config: RunnableConfig, context: Any, lease: Lease
) -> Resting | ValidationError | None:
    """Run the graph to its next stop. Why it rests, or what is wrong with an answer that it was given."""
    try:
        with unwrapped():
            for _ in graph.stream(
                given,
                config,
                context=context,
                durability="sync",  # the graph stops at a refused save; what is saved later, is handed over now
                control=lease.control,
                stream_mode="updates",
            ):
                pass
    except (GraphDrained, HandedBack):
        log.info("%s was stopped at a boundary.", lease.holding.session_id)
    except Resting as error:
        return error
    except ValidationError as error:
        if not (is_invalid_resume(error) and isinstance(given, Command)):
            raise
        return error
    return None


def _held(name: str) -> Held | None:
    nodes = agent_type(name).durability.nodes
    return None if nodes is None else Held(saver(), nodes)


def _has_ended(state: StateSnapshot, run: AgentRun) -> bool:
    """Did this run's graph end, so that only the settling is missing?"""
    return _belongs(state, run) and not state.tasks


def _still_waits(session: AgentSession, state: StateSnapshot) -> bool:
    """Is each of its questions open still? Then it was claimed to answer others, and its graph rests."""
    asked = [interrupt.id for interrupt in state.interrupts]
    return bool(asked) and waits.are_open(session, asked)


def _belongs(state: StateSnapshot, run: AgentRun) -> bool:
    return state.created_at is not None and (state.metadata or {}).get("run_id") == str(run.pk)


def _given(session_id: UUID, run: AgentRun, state: StateSnapshot) -> Any:
    """What the graph is called with: by the checkpoint, for the same input given twice would be a new turn.

    No checkpoint of this run: its input, unless the run takes up an earlier one. Pending and answered questions:
    their answers by id. Else nothing: it goes on.
    """
    if state.created_at is None or (not _belongs(state, run) and run.command != "retry"):
        return run.input
    answers = waits.answers(session_id, [interrupt.id for interrupt in state.interrupts])
    return Command(resume=answers) if answers else None
