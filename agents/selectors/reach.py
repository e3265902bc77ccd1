"""Whom an action on an agent, or on it and all below it, would reach."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from agents.lifecycle import WAITING, ApprovalStatus, SessionStatus
from agents.models import AgentSession, Approval


@dataclass(frozen=True, slots=True)
class Reach:
    """How many agents stand where, and how many requests of theirs wait for a person. `broken`: failed or stopped."""

    agents: int
    running: int
    waiting: int
    queued: int
    paused: int
    broken: int
    requests: int

    @property
    def resting(self) -> int:
        """Those that a word of a person reaches at once, of those at work."""
        return self.waiting + self.queued

    @property
    def active(self) -> int:
        """Those that still have something to do."""
        return self.running + self.resting + self.paused


def alone(session: AgentSession) -> Reach:
    """An action on the agent alone. Two queries."""
    return _count(AgentSession.objects.filter(pk=session.pk))


def with_all_below(session: AgentSession) -> Reach:
    """An action on the agent and all below it. Two queries."""
    return _count(AgentSession.objects.subtree(session.pk))


def _count(found: QuerySet[AgentSession]) -> Reach:
    counted = found.aggregate(
        agents=Count("pk"),
        running=Count("pk", filter=Q(status=SessionStatus.RUNNING)),
        waiting=Count("pk", filter=Q(status__in=WAITING)),
        queued=Count("pk", filter=Q(status__in=[SessionStatus.IDLE, SessionStatus.QUEUED])),
        paused=Count("pk", filter=Q(status=SessionStatus.PAUSED)),
        broken=Count("pk", filter=Q(status__in=[SessionStatus.FAILED, SessionStatus.CANCELLED])),
    )
    pending = Approval.objects.filter(session__in=found, status=ApprovalStatus.PENDING)
    return Reach(**counted, requests=pending.count())
