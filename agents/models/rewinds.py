"""What people did to the state of an agent by hand: edits, forks, replays, roll backs."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.lifecycle import RewindKind, RewindStatus
from agents.models.accounts import Project
from agents.models.fields import choices, one_of
from agents.models.sessions import AgentRun, AgentSession


class Rewind(models.Model):
    """One request of a person. Its id comes with the request, so that a double click is one rewind.

    `checkpoint_id` is the state that it starts from, `seen_id` the one that was current for who asked. `chosen`
    maps tool calls to what becomes of them; `change` holds the edited values as JSON text, for they may be
    what `jsonb` refuses. While it is open, nothing else may
    set the session going.
    """

    rewind_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="rewinds")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.TextField(choices=choices(RewindKind))
    checkpoint_id = models.UUIDField()
    seen_id = models.UUIDField()
    chosen = models.JSONField(default=dict, db_default={})
    change = models.TextField(default="", db_default="")
    status = models.TextField(choices=choices(RewindStatus), default=RewindStatus.OPEN)
    error = models.TextField(default="", db_default="")
    new_checkpoint_id = models.UUIDField(null=True)
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, related_name="+")
    fork = models.OneToOneField(AgentSession, on_delete=models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "session_rewinds"
        indexes = [models.Index(fields=["session", "created_at"], name="rewind_by_time")]
        constraints = [
            one_of("kind", RewindKind, "rewind_kind"),
            one_of("status", RewindStatus, "rewind_status"),
            models.UniqueConstraint(fields=["session"], name="rewind_one_open", condition=Q(status=RewindStatus.OPEN)),
            models.CheckConstraint(
                condition=Q(status=RewindStatus.OPEN, finished_at__isnull=True)
                | (~Q(status=RewindStatus.OPEN) & Q(finished_at__isnull=False)),
                name="rewind_finished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.session_id}, {self.status}"
