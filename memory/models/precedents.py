"""What requests to people mean, and suggestions that nobody wants."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from pgvector.django import VectorField

from agents.ids import new_id
from agents.models import Approval, Project
from memory.embedders import DIMENSION
from memory.models.memories import nearest


class Precedent(models.Model):
    """The meaning of one request as a vector, made once, by whoever has it until `claimed_until`.

    `decided_at`: since when it is a precedent: its decision has gone to the agent. Before, only others are looked for
    with it.
    """

    approval = models.OneToOneField(Approval, on_delete=models.CASCADE, primary_key=True, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    tool_name = models.TextField()
    vector = VectorField(dimensions=DIMENSION, null=True)
    embedder = models.TextField(default="", db_default="")
    claimed_until = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "approval_precedents"
        indexes = [
            models.Index(fields=["claimed_until"], name="precedent_to_embed", condition=Q(vector__isnull=True)),
            models.Index(fields=["approval"], name="precedent_open", condition=Q(decided_at__isnull=True)),
            models.Index(fields=["project"], name="precedent_of_project", condition=Q(decided_at__isnull=False)),
            nearest("vector", "precedent_nearest", condition=Q(decided_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True) | Q(vector__isnull=False), name="precedent_has_vector"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool_name} {self.approval_id}"


class Dismissal(models.Model):
    """Somebody does not want a rule for a tool to be suggested in a project, until people have gone on alike."""

    dismissal_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    tool_name = models.TextField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    dismissed_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "suggestion_dismissals"
        constraints = [models.UniqueConstraint(fields=["project", "tool_name"], name="dismissal_once")]

    def __str__(self) -> str:
        return f"no rule for {self.tool_name}"
