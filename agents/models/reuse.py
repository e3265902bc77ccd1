"""Results that are kept to answer equal work."""

from django.db import models
from django.db.models.functions import Now

from agents.ids import new_id
from agents.lifecycle import ReuseKind
from agents.models.accounts import Project
from agents.models.fields import choices, one_of


class KeptResult(models.Model):
    """The result of a tool call or a model call, in one project. `origin_id` is the call that it comes from.

    `key` is a digest of everything that the result depends on. Tokens and cost are what the call took.
    """

    result_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    kind = models.TextField(choices=choices(ReuseKind))
    key = models.TextField()
    name = models.TextField()
    result = models.JSONField()
    origin_id = models.UUIDField()
    tokens = models.IntegerField(default=0, db_default=0)
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0, db_default=0)
    hits = models.IntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "kept_results"
        indexes = [
            models.Index(fields=["expires_at"], name="kept_result_expiry"),
            models.Index(fields=["project", "-used_at"], name="kept_result_use"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="kept_result_key"),
            one_of("kind", ReuseKind, "kept_result_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, used {self.hits} times"
