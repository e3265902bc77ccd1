"""Dead letters: what failed for good and waits for somebody to look at it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.lifecycle import LetterKind, LetterStatus
from agents.models.accounts import Project
from agents.models.fields import choices, one_of
from agents.models.sessions import AgentSession
from agents.models.tools import ToolExecution


class DeadLetter(models.Model):
    """One thing that failed for good, once however often it fails: `count` says how often.

    `subject` names it in its kind. A task has a name and arguments, and no project. `trace` is for engineers.
    """

    letter_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="letters")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, null=True, related_name="letters")
    execution = models.ForeignKey(ToolExecution, on_delete=models.CASCADE, null=True, related_name="letters")
    kind = models.TextField(choices=choices(LetterKind))
    subject = models.TextField()
    title = models.TextField()
    task = models.TextField(default="", db_default="")
    arguments = models.JSONField(default=list, db_default=[])
    error_code = models.TextField()
    message = models.TextField()
    trace = models.TextField(default="", db_default="")
    count = models.IntegerField(default=1, db_default=1)
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())
    status = models.TextField(choices=choices(LetterStatus), default=LetterStatus.OPEN, db_default=LetterStatus.OPEN)
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "dead_letters"
        indexes = [
            models.Index(fields=["project", "-last_at"], name="letter_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], name="letter_once", condition=Q(status=LetterStatus.OPEN)
            ),
            models.CheckConstraint(
                condition=Q(status=LetterStatus.OPEN, settled_at__isnull=True)
                | (~Q(status=LetterStatus.OPEN) & Q(settled_at__isnull=False)),
                name="letter_settled",
            ),
            one_of("kind", LetterKind, "letter_kind"),
            one_of("status", LetterStatus, "letter_status"),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.error_code}"
