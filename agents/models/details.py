"""What agents hand each other by reference: kept once in a mission, fetched when a step needs it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.models.accounts import Project
from agents.models.sessions import AgentRun, AgentSession
from agents.models.states import ValueSpace


class Detail(models.Model):
    """A body of JSON under the digest of it, which its mission's agents know as its reference.

    `form` and `body` are the bytes, encrypted where states are. A result stands in its `run` instead, and that of one
    task of a batch at its `place` there. `session` is who kept it, `kept_at` when that was last.
    """

    detail_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    space = models.ForeignKey(ValueSpace, on_delete=models.CASCADE, related_name="details", db_index=False)
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="details")
    reference = models.TextField()
    kind = models.TextField()
    summary = models.TextField()
    size = models.BigIntegerField()
    form = models.TextField(default="", db_default="")
    body = models.BinaryField(null=True)
    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, null=True, related_name="+")
    place = models.IntegerField(null=True)
    kept_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "agent_details"
        constraints = [
            models.UniqueConstraint(fields=["space", "reference"], name="detail_once"),
            models.CheckConstraint(
                condition=Q(body__isnull=False, run__isnull=True) | Q(body__isnull=True, run__isnull=False),
                name="detail_has_body",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"
