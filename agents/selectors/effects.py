"""What agents have done to the world since one of their states, from the ledger."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from agents.errors import NotFound
from agents.lifecycle import ExecutionStatus
from agents.models import AgentSession, AgentState, ToolExecution


def calls_since(session_id: UUID, checkpoint_id: UUID) -> Sequence[ToolExecution]:
    """The tool calls of a session, and of the agents that work for it, after a state of it was saved, oldest first.

    Those that have happened, and those of which nobody knows: `running`. Not those that were undone since, nor the
    compensations, nor copies of kept calls. Time decides, not the branch: what another branch did stands in the
    world as well. Three queries. Raises NotFound when the session has no such state.
    """
    state = AgentState.objects.filter(session_id=session_id, checkpoint_ns="", checkpoint_id=checkpoint_id).first()
    if state is None:
        raise NotFound("There is no such state.")
    below = AgentSession.objects.working_for(session_id)
    return list(
        ToolExecution.objects.filter(
            Q(session_id=session_id) | Q(session__in=below),
            Q(started_at__gt=state.created_at) | Q(completed_at__gt=state.created_at),
            status__in=[ExecutionStatus.RUNNING, ExecutionStatus.COMPLETED],
            kept_from__isnull=True,
            compensates__isnull=True,
        )
        .exclude(compensation__status=ExecutionStatus.COMPLETED)
        .select_related("session", "compensation")
        .order_by("started_at", "execution_id")
    )
