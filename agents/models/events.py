"""What happened: an append-only chain of events for each aggregate."""

from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Now

from agents.ids import new_id
from agents.models.accounts import Project

if TYPE_CHECKING:
    IntegerColumn = models.Field[int, int]
else:
    IntegerColumn = models.Field  # Django's classes take type arguments only where they are checked


class TransactionId(IntegerColumn):
    """PostgreSQL's xid8: which transaction wrote a row; an ordered reader needs it for late commits."""

    def db_type(self, connection: object) -> str:
        """The column's type."""
        return "xid8"

    def get_prep_value(self, value: Any) -> Any:
        """An expression, or the number as text: PostgreSQL turns no integer into one."""
        return str(value) if isinstance(value, int) else super().get_prep_value(value)

    def from_db_value(self, value: str | None, *_: object) -> int | None:
        """The number."""
        return None if value is None else int(value)


class CurrentTransaction(Func):
    """The id of the running transaction."""

    function = "pg_current_xact_id"
    output_field = TransactionId()


class EventHead(models.Model):
    """The latest version, time and hash of an aggregate; locked by whoever appends.

    Events up to `archived_version` are in archives of their mission, later ones in `AgentEvent`.
    """

    aggregate_id = models.UUIDField(primary_key=True, editable=False)
    aggregate_type = models.TextField()
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    version = models.BigIntegerField()
    at = models.DateTimeField(null=True)
    hash = models.BinaryField()
    archived_version = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "agent_event_heads"

    def __str__(self) -> str:
        return f"{self.aggregate_type} {self.aggregate_id} at {self.version}"


class AgentEvent(models.Model):
    """One event. `hash` covers the one before it, so a changed or missing event is found.

    Events are ordered by their transaction, then by `position`, which is drawn when they are written.
    """

    event_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    event_type = models.TextField()
    aggregate_id = models.UUIDField()
    aggregate_type = models.TextField()
    event_data = models.JSONField(default=dict, db_default={})
    metadata = models.JSONField(default=dict, db_default={})
    timestamp = models.DateTimeField(db_default=Now())
    version = models.BigIntegerField()
    correlation_id = models.UUIDField()
    causation_id = models.UUIDField(null=True)
    hash = models.BinaryField()
    transaction_id = TransactionId(db_default=CurrentTransaction())
    position = models.BigIntegerField(db_default=Func(Value("agent_event_position"), function="nextval"))

    class Meta:
        db_table = "agent_events"
        indexes = [
            models.Index(fields=["transaction_id", "position"], name="event_in_order"),
            models.Index(fields=["project", "-timestamp"], name="event_by_time"),
            models.Index(fields=["correlation_id", "timestamp"], name="event_by_mission"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["aggregate_type", "aggregate_id", "version"], name="event_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.aggregate_id} v{self.version}"


class EventSnapshot(models.Model):
    """An aggregate's state at one version: bounds the replay. It follows from the events, and may be deleted."""

    snapshot_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    aggregate_id = models.UUIDField()
    aggregate_type = models.TextField()
    snapshot_data = models.JSONField(default=dict, db_default={})
    version = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "event_snapshots"
        constraints = [
            models.UniqueConstraint(fields=["aggregate_type", "aggregate_id", "version"], name="snapshot_once")
        ]

    def __str__(self) -> str:
        return f"{self.aggregate_type} {self.aggregate_id} at {self.version}"


class EventArchive(models.Model):
    """A part of the events of a finished mission, as compressed canonical JSON; `events.archives` writes and reads it.

    A mission that was archived and went on has further parts.
    """

    archive_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    mission_id = models.UUIDField()
    part = models.IntegerField()
    aggregates = ArrayField(models.UUIDField())
    events = models.IntegerField()
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "event_archives"
        indexes = [GinIndex(fields=["aggregates"], name="archive_aggregates")]
        constraints = [models.UniqueConstraint(fields=["mission_id", "part"], name="archive_part_once")]

    def __str__(self) -> str:
        return f"part {self.part} of {self.mission_id}"


class EventConsumer(models.Model):
    """How far a reader of the ordered stream of events is."""

    name = models.TextField(primary_key=True)
    transaction_id = TransactionId(default=0)
    position = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "event_consumers"

    def __str__(self) -> str:
        return f"{self.name} at {self.transaction_id}, {self.position}"
