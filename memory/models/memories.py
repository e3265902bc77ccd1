"""What agents remember."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Collate, Now
from pgvector.django import HalfVectorField, HnswIndex, VectorField

from agents.ids import new_id
from agents.models import AgentSession, Project
from agents.models.fields import choices, one_of
from memory.embedders import DIMENSION
from memory.models.sources import MissionPassage
from memory.words import MemoryType


def nearest(field: str, name: str, **options: Any) -> HnswIndex:
    """An index of vectors by likeness; at half precision it takes half the room, and finds the same."""
    halved = Cast(field, HalfVectorField(dimensions=DIMENSION))
    return HnswIndex(OpClass(halved, name="halfvec_cosine_ops"), name=name, m=16, ef_construction=64, **options)


class AgentMemory(models.Model):
    """One memory, with where it came from. The same content stands once in a namespace.

    A memory with a `key` is an item of the project's store: it has a value, its namespace and key name it, and its
    id follows from them. An agent's memory has none.
    """

    memory_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.SET_NULL, null=True, related_name="memories")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    namespace = ArrayField(models.TextField(), default=list, db_default=[])
    key = models.TextField(null=True)
    value = models.JSONField(null=True)
    value_exact = models.TextField(null=True)  # the JSON text of a value that jsonb would change
    memory_type = models.TextField(choices=choices(MemoryType))
    content_text = models.TextField()
    content_hash = models.TextField()
    content_vector = VectorField(dimensions=DIMENSION, null=True)
    further_vectors = models.IntegerField(default=0, db_default=0)  # how many more there are in `MemoryVector`
    embedder = models.TextField(default="", db_default="")
    importance_score = models.FloatField(default=0.5, db_default=0.5)
    access_count = models.IntegerField(default=0, db_default=0)
    passage = models.ForeignKey(MissionPassage, on_delete=models.SET_NULL, null=True, related_name="memories")
    execution_id = models.UUIDField(null=True)
    approval_id = models.UUIDField(null=True)
    metadata = models.JSONField(default=dict, db_default={})
    search = models.GeneratedField(
        expression=SearchVector(F("content_text"), config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    last_accessed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    ttl_minutes = models.FloatField(null=True)

    class Meta:
        db_table = "agent_memory"
        indexes = [
            models.Index(fields=["project", "memory_type", "-created_at"], name="memory_by_type"),
            models.Index(fields=["session"], name="memory_session"),
            models.Index(fields=["expires_at"], name="memory_expiry", condition=Q(expires_at__isnull=False)),
            GinIndex(fields=["search"], name="memory_words"),
            # by code points, so that the namespaces that begin with a prefix are one range
            models.Index("project", Collate("namespace", "C"), name="memory_items", condition=Q(key__isnull=False)),
            GinIndex(
                OpClass("value", name="jsonb_path_ops"), name="memory_item_values", condition=Q(key__isnull=False)
            ),
            nearest("content_vector", "memory_item_nearest", condition=Q(key__isnull=False)),
        ]
        constraints = [
            one_of("memory_type", MemoryType, "memory_type"),
            models.CheckConstraint(
                condition=Q(importance_score__gte=0, importance_score__lte=1), name="memory_importance"
            ),
            models.UniqueConstraint(
                fields=["project", "namespace", "content_hash"], name="memory_once", condition=Q(key__isnull=True)
            ),
            models.CheckConstraint(
                condition=Q(key__isnull=True, value__isnull=True, user__isnull=False)
                | Q(key__isnull=False, value__isnull=False),
                name="memory_or_item",
            ),
        ]

    def __str__(self) -> str:
        return self.content_text[:60]


class MemoryAccess(models.Model):
    """How often a memory was found. Beside the memory, because writing its row would rewrite its vector's index."""

    memory = models.OneToOneField(AgentMemory, on_delete=models.CASCADE, primary_key=True, related_name="access")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    count = models.IntegerField(default=0, db_default=0)
    last_at = models.DateTimeField()

    class Meta:
        db_table = "agent_memory_access"

    def __str__(self) -> str:
        return f"{self.count} times"


class MemoryVector(models.Model):
    """A further vector of an item that has several texts indexed; the first is in the memory's row."""

    vector_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    memory = models.ForeignKey(AgentMemory, on_delete=models.CASCADE, related_name="vectors")
    vector = VectorField(dimensions=DIMENSION)

    class Meta:
        db_table = "agent_memory_vectors"
        indexes = [nearest("vector", "memory_vector_nearest")]

    def __str__(self) -> str:
        return f"a vector of {self.memory_id}"
