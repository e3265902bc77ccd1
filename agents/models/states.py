"""Checkpoints of agents and the values that they name.

A checkpoint is a row or more in each of these tables, several times a second. So what can be had without them has no
foreign keys and no checks, which took a quarter of the server's time for a save: a save holds the rows of its space
and its session itself, and what was saved is checked by its hash whenever it is read.
"""

from enum import StrEnum

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Now

from agents.ids import new_id
from agents.models.accounts import Project
from agents.models.sessions import AgentSession


class Form(StrEnum):
    """Where the value of a channel version or of a write is."""

    INLINE = "inline"  # in the row itself
    VALUE = "value"  # in the value space, under the hash in `items`
    LIST = "list"  # there too, item by item, under the hashes in `items`
    DICT = "dict"  # as a list of pairs
    SNAPSHOT = "snapshot"  # as a list, wrapped as LangGraph wraps those of delta channels


class VerbatimJSONField(models.Field):  # type: ignore[type-arg]  # Django's Field takes no parameters at run time
    """PostgreSQL's `json`: the text to the letter, so that it can be hashed.

    `jsonb` reorders keys, rounds numbers and refuses lone surrogates.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """The column's type."""
        return "json"


class ValueSpace(models.Model):
    """Who shares stored values: one mission.

    Each deletion in the space gives it another epoch, and no epoch is ever used twice, so what was planned or
    cached under one holds for as long as the epoch does.
    """

    space_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    epoch = models.BigIntegerField(db_default=Func(Value("agent_value_epoch"), function="nextval"))

    class Meta:
        db_table = "agent_value_spaces"

    def __str__(self) -> str:
        return str(self.space_id)


class AgentState(models.Model):
    """One checkpoint of one agent.

    `state_data` is the checkpoint without its long values: versions of channels, what each node has seen,
    short scalars. `state_hash` covers the contents of all channels. `size_bytes` is the size of what is new in
    it. `state_id` is the checkpoint's id, except where another session has one of that id.
    A checkpoint that has a name, or from which something was forked, is never pruned. `seal` is the row's own hash,
    which rows from before there were seals lack. `damaged_at` says when it was found that something of a checkpoint
    was lost or changed: then the nearest sound one before it is the current one.
    """

    state_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="states", db_index=False)
    checkpoint_ns = models.TextField(db_default="")
    checkpoint_id = models.UUIDField()
    parent_id = models.UUIDField(null=True)
    checkpoint_name = models.TextField(db_default="")
    state_data = models.JSONField(db_default={})
    state_hash = models.BinaryField()
    seal = models.BinaryField(null=True)
    metadata = models.JSONField(db_default={})
    size_bytes = models.BigIntegerField(db_default=0)
    is_current = models.BooleanField()
    damaged_at = models.DateTimeField(null=True)
    is_fork_base = models.BooleanField(db_default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "agent_states"
        indexes = [
            models.Index(
                KeyTextTransform("run_id", "metadata"),
                name="state_run",
                condition=Q(metadata__has_key="run_id"),
            ),
            models.Index("damaged_at", name="state_damaged", condition=Q(damaged_at__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["session", "checkpoint_ns", "checkpoint_id"], name="state_once"),
            models.UniqueConstraint(
                fields=["session", "checkpoint_ns"], name="state_one_current", condition=Q(is_current=True)
            ),
            models.UniqueConstraint(
                fields=["session", "checkpoint_name"], name="state_name_once", condition=~Q(checkpoint_name="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint_id} of {self.session_id}"


class StateValue(models.Model):
    """One value, stored once in its space under the hash of its kind and bytes.

    JSON stands in `body`, readable; anything else in `raw`, as the serializer wrote it.
    """

    pk = models.CompositePrimaryKey("space_id", "hash")
    space = models.ForeignKey(
        ValueSpace, on_delete=models.CASCADE, related_name="values", db_index=False, db_constraint=False
    )
    hash = models.BinaryField()
    kind = models.TextField()
    body = VerbatimJSONField(null=True)
    raw = models.BinaryField(null=True)

    class Meta:
        db_table = "agent_values"

    def __str__(self) -> str:
        return f"{self.kind} {bytes(self.hash).hex()}"


class ChannelVersion(models.Model):
    """What one version of a channel holds: bytes of its own, or the hashes of stored values, 16 bytes each.

    A version may build on an earlier one: the first `head` items of `base`, its own `items`, the last `tail`
    items of `base`. `level` counts how many versions below it must be read; 0 is a version in full.
    """

    pk = models.CompositePrimaryKey("session_id", "checkpoint_ns", "channel", "version")
    session = models.ForeignKey(
        AgentSession, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    checkpoint_ns = models.TextField(db_default="")
    channel = models.TextField()
    version = models.TextField()
    form = models.TextField()
    level = models.SmallIntegerField(db_default=0)
    base = models.TextField(null=True)
    head = models.IntegerField(db_default=0)
    tail = models.IntegerField(db_default=0)
    items = models.BinaryField(null=True)
    kind = models.TextField(null=True)
    body = VerbatimJSONField(null=True)
    raw = models.BinaryField(null=True)

    class Meta:
        db_table = "agent_channel_versions"

    def __str__(self) -> str:
        return f"{self.channel} {self.version} of {self.session_id}"


class StateWrite(models.Model):
    """What a task wrote on top of a checkpoint. It may come before its checkpoint: so no foreign key."""

    pk = models.CompositePrimaryKey("session_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx")
    session = models.ForeignKey(
        AgentSession, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    checkpoint_ns = models.TextField(db_default="")
    checkpoint_id = models.UUIDField()
    task_id = models.TextField()
    idx = models.IntegerField()
    task_path = models.TextField(db_default="")
    channel = models.TextField()
    form = models.TextField()
    items = models.BinaryField(null=True)
    kind = models.TextField(null=True)
    body = VerbatimJSONField(null=True)
    raw = models.BinaryField(null=True)

    class Meta:
        db_table = "agent_state_writes"

    def __str__(self) -> str:
        return f"{self.channel} of {self.task_id}"
