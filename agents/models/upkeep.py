"""Upkeep of what is stored: passes that prune states."""

from enum import StrEnum

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.models.fields import choices, one_of


class Stage(StrEnum):
    """What a pass goes through: sessions, then, if it is a full one, spaces of values."""

    SESSIONS = "sessions"
    SPACES = "spaces"
    DONE = "done"


class Pruning(models.Model):
    """One pass over the sessions in which something may have become too old, and what it freed.

    It looks at sessions that moved, or whose last move became as old as a rule names, after `since` and up to `until`;
    at all of them without `since`. `done_to` is the last session, or space, that it is done with. Whoever works on it
    holds it until `held_until`; when that is over, another goes on. `rules` is a digest of the rules it went by.
    """

    pruning_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField()
    rules = models.TextField()
    stage = models.TextField(choices=choices(Stage), default=Stage.SESSIONS)
    done_to = models.UUIDField(null=True)
    held_until = models.DateTimeField()
    sessions = models.BigIntegerField(default=0, db_default=0)
    states = models.BigIntegerField(default=0, db_default=0)
    values = models.BigIntegerField(default=0, db_default=0)
    freed_bytes = models.BigIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "state_prunings"
        indexes = [models.Index(fields=["-finished_at"], name="pruning_last")]
        constraints = [
            one_of("stage", Stage, "pruning_stage"),
            models.UniqueConstraint(
                models.Value(1), name="pruning_one_at_a_time", condition=Q(finished_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"pruning up to {self.until}"
