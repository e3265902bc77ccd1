"""Sets right what nobody else will: lost workers, lost messages, agents that work for nobody."""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from celery import current_app
from django.utils import timezone
from kombu.exceptions import ChannelError, OperationalError

from agents.actor import SYSTEM
from agents.checkpoints.connections import DATABASE_AWAY
from agents.events import causes
from agents.lifecycle import SessionStatus
from agents.models import AgentSession
from agents.roles import Level
from agents.services import (
    attention,
    budgets,
    control,
    deadlines,
    decisions,
    leases,
    requests,
    signals,
    subtrees,
    timers,
    waits,
)
from orchestrator import dispatch
from orchestrator.runtime import holders

log = logging.getLogger(__name__)
MOST_RINGS = 50
SELDOM = 10  # rounds
RECENT = timedelta(minutes=1)
MOST_KNOWN = 1000  # failures that are remembered, to be told in full once


def sweep(number: int = 0) -> None:
    """One round. It may run anywhere, any number of times, beside any other.

    Rounds are counted by who sweeps: what has to look at every agent that waits is done in one of `SELDOM`. What goes
    wrong with one agent or request is logged, and keeps nobody else waiting. Raises what the database raises when it
    is away.
    """
    for step in (
        requeue_lost,
        fire_timers,
        attend_approvals,
        dispatch_decisions,
        deliver_signals,
        attend_requests,
        stop_late,
        release_paid,
        partial(cancel_abandoned, within=None if number % SELDOM == 0 else RECENT),
        ring_forgotten,
    ):
        _attempt(step)


_failed: set[str] = set()


def _attempt(act: Callable[..., Any], *given: Any) -> None:
    """Do this. What fails in every round is told once with all that is known of it, then only named."""
    try:
        act(*given)
    except DATABASE_AWAY:
        raise
    except Exception as error:
        name = getattr(act, "func", act).__qualname__  # of a partial, what it calls
        what = " ".join([name, *map(str, given)])
        log.warning("The sweeper failed at %s: %r", what, error, exc_info=what not in _failed)
        if len(_failed) > MOST_KNOWN:
            _failed.clear()
        _failed.add(what)


def _each(act: Callable[[UUID], Any], ids: Iterable[UUID]) -> None:
    for each in ids:
        _attempt(act, each)


def requeue_lost() -> None:
    """Queue the agents whose worker has gone; the commit rings for them."""
    for session_id in leases.requeue_expired(dead=holders.dead(leases.holders())):
        log.warning("The worker of %s has gone; it is queued again.", session_id)


def fire_timers() -> None:
    """Wake the agents whose time has come."""
    _each(timers.fire, timers.due())


def attend_approvals() -> None:
    """Remind, escalate and decide by default what nobody has decided."""
    _each(attention.attend, attention.due())


def dispatch_decisions() -> None:
    """Tell the agents of decisions that cannot be taken back any more."""
    _each(decisions.dispatch, decisions.due())


def deliver_signals() -> None:
    """Wake the agents that wait for a signal that is there: whoever was to do it has died."""
    _each(lambda session_id: signals.deliver([session_id]), signals.undelivered())


def attend_requests() -> None:
    """Wake the agents that others ask: whoever was to do it has died."""
    _each(requests.attend, requests.unattended())


def stop_late() -> None:
    """Stop the agents whose deadline has passed, with all below them."""
    _each(partial(subtrees.cancel, actor=SYSTEM, reason="Its deadline has passed."), deadlines.passed())


def release_paid() -> None:
    """Let the agents go on whose budget was decided on: whoever was to do it has died."""
    for named in budgets.unreleased():
        _attempt(budgets.release, named)


def cancel_abandoned(within: timedelta | None = None) -> None:
    """Stop agents whose parent has ended or gone on without them, at any time or within this one."""
    for session_id, move_id in waits.abandoned(within=within).items():
        with causes.caused_by(move_id):
            _attempt(
                partial(control.cancel, actor=SYSTEM, reason="The agent above has gone on without it."), session_id
            )


def ring_forgotten() -> None:
    """Ring for agents that are queued while no message is under way: it was lost with its worker or broker."""
    before = timezone.now() - timedelta(seconds=1)
    for level in Level:
        queued = AgentSession.objects.filter(level=level, status=SessionStatus.QUEUED, moved_at__lt=before).count()
        if queued and not _messages(level):
            dispatch.ring(level, min(queued, MOST_RINGS))


def _messages(level: Level) -> int:
    """How many messages the broker holds for a level; 1 where it does not answer, for then ringing is no use."""
    try:
        with current_app.connection_for_read() as broker:
            return int(broker.default_channel.queue_declare(queue=level, passive=True).message_count)
    except ChannelError:  # nobody has ever listened
        return 0
    except (OperationalError, OSError):
        return 1
