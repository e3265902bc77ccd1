"""Sets right what nobody else will: lost workers, lost messages, agents that work for nobody."""

import logging
from datetime import timedelta

from celery import current_app
from django.utils import timezone
from kombu.exceptions import ChannelError, OperationalError

from agents.actor import SYSTEM
from agents.lifecycle import SessionStatus
from agents.models import AgentSession
from agents.roles import Level
from agents.services import control, leases, waits
from orchestrator import dispatch
from orchestrator.runtime import holders

log = logging.getLogger(__name__)
MOST_RINGS = 50


def sweep() -> None:
    """One round. It may run anywhere, any number of times, beside any other."""
    requeue_lost()
    cancel_abandoned()
    ring_forgotten()


def requeue_lost() -> None:
    """Queue the agents whose worker has gone; the commit rings for them."""
    for session_id in leases.requeue_expired(dead=holders.dead(leases.holders())):
        log.warning("The worker of %s has gone; it is queued again.", session_id)


def cancel_abandoned() -> None:
    """Stop agents whose parent has ended or gone on without them."""
    for session_id in waits.abandoned():
        control.cancel(session_id, actor=SYSTEM, reason="The agent above has gone on without it.")


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
