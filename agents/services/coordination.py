"""Groups of agents: who belongs to one, and what they are given to do and give back."""

from collections.abc import Sequence

from django.utils import timezone

from agents.actor import agent
from agents.events import causes, store
from agents.events.digests import json_digest
from agents.events.types import CommunicationSent
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


def group_of(coordinator: AgentSession) -> AgentCoordination:
    """The group that a locked session leads; it begins when it is first spoken to."""
    group, _ = AgentCoordination.objects.get_or_create(
        coordinator_session=coordinator,
        defaults={"coordination_id": derived_id(coordinator.pk, "coordination"), "project_id": coordinator.project_id},
    )
    return group


def assign(parent: AgentSession, children: Sequence[AgentSession]) -> None:
    """Put `children` into the group of `parent` and give each its task. The caller holds the parent."""
    group = group_of(parent)
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
    tasks = [
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
    ]
    AgentCommunication.objects.bulk_create(tasks)
    store.record_all(_sent(parent, task) for task in tasks)


def report(child: AgentSession) -> None:
    """Close the task of `child`, locked by the caller and ended, and send its result to the agent above."""
    if child.parent_id is None or child.parent_wait_id is None or child.current_run is None:  # nobody waits for a fork
        return
    succeeded = child.status == SessionStatus.SUCCEEDED
    group = AgentCoordination.objects.get(coordinator_session_id=child.parent_id)
    AgentParticipant.objects.filter(coordination=group, session=child).update(
        status=ParticipantStatus.COMPLETED if succeeded else ParticipantStatus.FAILED
    )
    task_id = derived_id(child.pk, "assignment", 1)
    AgentCommunication.objects.filter(pk=task_id, processed_at__isnull=True).update(processed_at=timezone.now())
    result = AgentCommunication(
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
        parent_communication_id=task_id,
        priority=child.priority,
    )
    AgentCommunication.objects.bulk_create([result])
    store.record_all([_sent(child, result)])


def _sent(sender: AgentSession, told: AgentCommunication) -> store.Entry:
    """The event of a task, or of a result in the chain of its task."""
    event = CommunicationSent(
        communication_id=told.pk,
        session_id=sender.pk,
        receiver_id=told.receiver_session_id,
        kind=told.message_type,
        digest=json_digest(told.message_content),
        answers=told.parent_communication_id,
        coordination_id=told.coordination_id,
        priority=told.priority,
    )
    conversation = told.parent_communication_id or told.pk
    return store.Entry(
        event, conversation, sender.project_id, sender.root_id, agent(sender.pk), causes.cause() or sender.move_id
    )
