"""What agents said, as a tree of messages."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.models.accounts import Project
from agents.models.fields import choices, one_of
from agents.models.sessions import AgentSession
from agents.words import MessageType


class AgentMessage(models.Model):
    """One message of one agent. Its id follows from the step that said it, so that a replay says it once.

    What a person told the agent has `read_at`, once it was read: when the state was saved on which the reading step
    works. A step that is redone works on the same state, and so reads the same.
    """

    message_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="messages")
    message_type = models.TextField(choices=choices(MessageType))
    role = models.TextField()
    content = models.TextField()
    metadata = models.JSONField(default=dict, db_default={})
    parent_message = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="replies")
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "agent_messages"
        indexes = [
            models.Index(fields=["session", "created_at"], name="message_by_time"),
            models.Index(fields=["session"], name="message_to_agent", condition=Q(message_type=MessageType.HUMAN)),
        ]
        constraints = [one_of("message_type", MessageType, "message_type")]

    def __str__(self) -> str:
        return f"{self.message_type} in {self.session_id}"


class ModelCall(models.Model):
    """One call of a chat model: what it took and what it cost.

    One that `is_reused` was not made: the answer to `answered_from` was kept. It saved what that one took. One for
    several `tasks` saved the others, and about so many tokens of what they would all have said.
    """

    call_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="model_calls")
    model = models.TextField()
    purpose = models.TextField()
    input_tokens = models.IntegerField(default=0)
    output_tokens = models.IntegerField(default=0)
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    tries = models.IntegerField(default=1)
    tasks = models.IntegerField(default=1, db_default=1)
    duration_ms = models.IntegerField()
    is_reused = models.BooleanField(default=False, db_default=False)
    answered_from = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    saved_tokens = models.IntegerField(default=0, db_default=0)
    saved_cost = models.DecimalField(max_digits=12, decimal_places=6, default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "model_calls"
        indexes = [
            models.Index(fields=["session"], name="model_call_session"),
            models.Index(fields=["project", "created_at"], name="model_call_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} with {self.model}"
