"""What people did to the states of an agent by hand, and what of it is still under way."""

from django.db.models import QuerySet

from agents.lifecycle import ACTIVE, ApprovalStatus, RewindStatus
from agents.models import AgentSession, Approval, Rewind

MOST = 50  # names of agents, forks


def holding(session: AgentSession) -> list[Rewind]:
    """The open rewinds of an agent and of those above it, oldest first: until they end, nothing sets it going."""
    found = Rewind.objects.filter(session_id__in=[session.pk, *session.path], status=RewindStatus.OPEN)
    return list(found.select_related("user", "session").order_by("created_at"))


def forks(session: AgentSession) -> list[AgentSession]:
    """The agents that were forked from this one, newest first."""
    return list(session.forks.select_related("user").order_by("-created_at")[:MOST])


def at_work_below(session: AgentSession) -> list[str]:
    """Names of the agents that work for this one and have something to do."""
    found = AgentSession.objects.working_for(session.pk).filter(status__in=ACTIVE)
    return list(found.order_by("depth", "parent__position", "position", "pk").values_list("name", flat=True))


def asked(session: AgentSession) -> QuerySet[Approval]:
    """The requests to people that this agent waits for."""
    return Approval.objects.filter(session=session, status=ApprovalStatus.PENDING)
