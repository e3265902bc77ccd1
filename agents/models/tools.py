"""The ledger of side effects."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.lifecycle import ExecutionStatus, Policy, Risk
from agents.models.accounts import Project
from agents.models.fields import choices, one_of
from agents.models.sessions import AgentSession


class ToolExecution(models.Model):
    """One tool call. Its key follows from the step that made it, so a replay finds the same row.

    A rewind that goes behind a call and does not keep it supersedes the row: the key's next call is a new
    `generation`. A kept call of another session has a copy here, `kept_from` the first row. `compensates` names
    the call that this one takes back. `tries`: how often its attempt ran the tool. `answered_from`: the call whose
    kept result answered this one, which then `is_reused` and did not run.
    """

    execution_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="executions")
    call_key = models.TextField()
    generation = models.IntegerField(default=0, db_default=0)
    superseded_at = models.DateTimeField(null=True)
    kept_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="copies")
    compensates = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="compensation")
    tool_name = models.TextField()
    tool_version = models.TextField()
    risk = models.TextField(choices=choices(Risk))
    policy = models.TextField(choices=choices(Policy))
    policy_version = models.IntegerField(null=True)
    policy_rule = models.TextField(default="", db_default="")
    intent = models.TextField(default="", db_default="")
    input_data = models.JSONField(default=dict, db_default={})
    input_digest = models.TextField()
    effective_data = models.JSONField(null=True)
    output_data = models.JSONField(null=True)
    status = models.TextField(choices=choices(ExecutionStatus), default=ExecutionStatus.PENDING)
    error_message = models.TextField(default="", db_default="")
    attempt = models.IntegerField(default=0, db_default=0)
    tries = models.IntegerField(default=0, db_default=0)
    is_reused = models.BooleanField(default=False, db_default=False)
    answered_from = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    doubts = ArrayField(models.IntegerField(), default=list, db_default=[])
    execution_time_ms = models.IntegerField(null=True)
    cost_estimate = models.DecimalField(max_digits=10, decimal_places=6, default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "tool_executions"
        indexes = [
            models.Index(fields=["session", "created_at"], name="execution_by_time"),
            models.Index(fields=["project", "tool_name"], name="execution_by_tool"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["session", "call_key", "generation"], name="execution_generation"),
            models.UniqueConstraint(
                fields=["session", "call_key"], name="execution_current", condition=Q(superseded_at__isnull=True)
            ),
            one_of("status", ExecutionStatus, "execution_status"),
            one_of("policy", Policy, "execution_policy"),
            one_of("risk", Risk, "execution_risk"),
        ]

    def __str__(self) -> str:
        return f"{self.tool_name} {self.status}"
