"""Groups of agents: who belongs to one, and what they tell each other."""

from collections.abc import Sequence

from django.utils import timezone

from agents.ids import derived_id
from agents.lifecycle import SessionStatus
from agents.models import AgentCommunication, AgentCoordination, AgentParticipant, AgentSession
from agents.roles import Level
from agents.words import CommunicationType, ParticipantRole, ParticipantStatus

_ROLE = {
    Level.QUEEN: ParticipantRole.COORDINATOR,
    Level.ARCHITECT: ParticipantRole.DELEGATOR,
    Level.SPECIALIST: ParticipantRole.SPECIALIST,
    Level.WORKER: ParticipantRole.WORKER,
}


def assign(parent: AgentSession, children: Sequence[AgentSession]) -> None:
    """Put `children` into the group of `parent` and give each its task. The caller holds the parent."""
    group, _ = AgentCoordination.objects.get_or_create(
        coordinator_session=parent,
        defaults={"coordination_id": derived_id(parent.pk, "coordination"), "project_id": parent.project_id},
    )
    AgentParticipant.objects.bulk_create(
        AgentParticipant(
            project_id=child.project_id,
            coordination=group,
            session=child,
            agent_role=_ROLE[Level(child.level)],
            assignment_data={"run_id": str(child.current_run_id)},
        )
        for child in children
    )
    AgentCommunication.objects.bulk_create(
        AgentCommunication(
            communication_id=derived_id(child.pk, "assignment", 1),
            project_id=child.project_id,
            coordination=group,
            sender_session=parent,
            receiver_session=child,
            message_type=CommunicationType.TASK_ASSIGNMENT,
            message_content={"goal": child.goal, "run_id": str(child.current_run_id)},
            priority=child.priority,
            requires_response=True,
        )
        for child in children
    )


def report(child: AgentSession) -> None:
    """Close the task of `child`, locked by the caller and ended, and send its result to the agent above."""
    if child.parent_id is None or child.parent_wait_id is None or child.current_run is None:  # nobody waits for a fork
        return
    succeeded = child.status == SessionStatus.SUCCEEDED
    group = AgentCoordination.objects.get(coordinator_session_id=child.parent_id)
    AgentParticipant.objects.filter(coordination=group, session=child).update(
        status=ParticipantStatus.COMPLETED if succeeded else ParticipantStatus.FAILED
    )
    AgentCommunication.objects.filter(
        coordination=group, receiver_session=child, requires_response=True, processed_at__isnull=True
    ).update(processed_at=timezone.now())
    AgentCommunication.objects.bulk_create(
        [
            AgentCommunication(
                communication_id=derived_id(child.pk, "result", child.current_run.number),
                project_id=child.project_id,
                coordination=group,
                sender_session=child,
                receiver_session_id=child.parent_id,
                message_type=CommunicationType.RESULT if succeeded else CommunicationType.ERROR,
                message_content={
                    "status": child.status,
                    "run_id": str(child.current_run_id),
                    "error": child.current_run.error,
                },
                priority=child.priority,
            )
        ],
        ignore_conflicts=True,
    )
