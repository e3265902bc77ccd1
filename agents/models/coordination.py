"""Workflows, and groups of agents that work together and talk."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.models.accounts import Project
from agents.models.fields import choices, one_of
from agents.models.sessions import AgentSession, SessionWait
from agents.words import (
    CommunicationOutcome,
    CommunicationType,
    CoordinationStatus,
    ParticipantRole,
    ParticipantStatus,
)


class AgentWorkflow(models.Model):
    """A definition of steps, in one version."""

    workflow_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    workflow_name = models.TextField()
    workflow_version = models.TextField()
    definition = models.JSONField(default=dict, db_default={})
    is_active = models.BooleanField(default=True, db_default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_column="created_by", related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "agent_workflows"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "workflow_name", "workflow_version"], name="workflow_version_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.workflow_name} {self.workflow_version}"


class AgentCoordination(models.Model):
    """One group: a delegating session and those it started."""

    coordination_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    workflow = models.ForeignKey(AgentWorkflow, on_delete=models.PROTECT, null=True, related_name="coordinations")
    coordinator_session = models.OneToOneField(AgentSession, on_delete=models.CASCADE, related_name="coordination")
    status = models.TextField(choices=choices(CoordinationStatus), default=CoordinationStatus.ACTIVE)
    current_step = models.TextField(default="", db_default="")
    step_sequence = models.JSONField(default=list, db_default=[])
    coordination_data = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "agent_coordination"
        constraints = [one_of("status", CoordinationStatus, "coordination_status")]

    def __str__(self) -> str:
        return f"group of {self.coordinator_session_id}"


class AgentParticipant(models.Model):
    """One agent's part in a group."""

    participant_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    coordination = models.ForeignKey(AgentCoordination, on_delete=models.CASCADE, related_name="participants")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="parts")
    agent_role = models.TextField(choices=choices(ParticipantRole))
    status = models.TextField(choices=choices(ParticipantStatus), default=ParticipantStatus.ASSIGNED)
    capabilities = models.JSONField(default=list, db_default=[])
    assignment_data = models.JSONField(default=dict, db_default={})
    joined_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "agent_participants"
        constraints = [
            models.UniqueConstraint(fields=["coordination", "session"], name="participant_once"),
            one_of("agent_role", ParticipantRole, "participant_role"),
            one_of("status", ParticipantStatus, "participant_status"),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} in {self.coordination_id}"


class AgentCommunication(models.Model):
    """What one agent told another, or all of its group.

    A request has the `wait` that its answer goes to, and an `outcome` once it is closed. A reply, a result, and a
    request that was passed on follow on their `parent_communication`.
    """

    communication_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    coordination = models.ForeignKey(AgentCoordination, on_delete=models.CASCADE, related_name="communications")
    sender_session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="sent")
    receiver_session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, null=True, related_name="received")
    message_type = models.TextField(choices=choices(CommunicationType))
    message_content = models.JSONField(default=dict, db_default={})
    priority = models.SmallIntegerField(default=0, db_default=0)
    wait = models.ForeignKey(SessionWait, on_delete=models.CASCADE, null=True, related_name="requests")
    parent_communication = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="followers")
    outcome = models.TextField(choices=choices(CommunicationOutcome), default="", db_default="", blank=True)
    requires_response = models.BooleanField(default=False, db_default=False)
    response_timeout = models.DurationField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "agent_communications"
        indexes = [
            models.Index(
                fields=["receiver_session", "created_at"],
                name="communication_unanswered",
                condition=Q(requires_response=True, processed_at__isnull=True),
            ),
            models.Index(
                fields=["receiver_session"],
                name="communication_request_open",
                condition=Q(wait__isnull=False, processed_at__isnull=True),
            ),
            models.Index(fields=["coordination", "created_at"], name="communication_by_time"),
        ]
        constraints = [
            one_of("message_type", CommunicationType, "communication_type"),
            one_of("outcome", CommunicationOutcome, "communication_outcome"),
            models.UniqueConstraint(
                fields=["parent_communication"],
                name="communication_reply_once",
                condition=Q(message_type=CommunicationType.REPLY),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_type} from {self.sender_session_id}"


class CommunicationReading(models.Model):
    """What an agent read in the step that works on one state: a step that is redone reads the same.

    `saved_at` is when that state was saved; `read` holds communications.
    """

    reading_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="readings")
    checkpoint_id = models.UUIDField()
    saved_at = models.DateTimeField()
    read = ArrayField(models.UUIDField(), default=list, db_default=[])
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "communication_readings"
        constraints = [models.UniqueConstraint(fields=["session", "checkpoint_id"], name="communication_read_once")]

    def __str__(self) -> str:
        return f"{len(self.read)} read by {self.session_id}"
