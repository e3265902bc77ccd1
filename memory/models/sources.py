"""A mission's sources, cut into passages."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Count, F, Q
from django.db.models.functions import Now
from pgvector.django import VectorField

from agents.ids import new_id
from agents.models import AgentSession, Project, User
from agents.models.fields import choices, one_of
from memory.embedders import DIMENSION
from memory.words import SourceOrigin

if TYPE_CHECKING:
    from uuid import UUID


class SourceQuerySet(models.QuerySet["MissionSource"]):
    """Named filters of sources. Texts are large, so lists leave them out."""

    def staged(self, draft_id: UUID, user: User) -> SourceQuerySet:
        """What a person has staged for a draft, by name."""
        return self.filter(draft_id=draft_id, user=user).defer("text").order_by("name", "source_id")

    def of_mission(self, mission_id: UUID) -> SourceQuerySet:
        """The sources of a mission, by name, each with its `passage_count`."""
        found = self.filter(session_id=mission_id).defer("text").order_by("name", "source_id")
        return found.annotate(passage_count=Count("passages"))


class MissionSource(models.Model):
    """One document that a mission reads. Until the mission starts it belongs to a draft."""

    source_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, null=True, related_name="sources")
    draft_id = models.UUIDField(null=True)
    name = models.TextField()
    media_type = models.TextField()
    origin = models.TextField(choices=choices(SourceOrigin))
    sha256 = models.TextField()
    size_bytes = models.BigIntegerField()
    text = models.TextField()
    pages = models.IntegerField(null=True)
    words = models.IntegerField()
    created_at = models.DateTimeField(db_default=Now())
    metadata = models.JSONField(default=dict, db_default={})

    objects: ClassVar[models.Manager[MissionSource]] = SourceQuerySet.as_manager()

    class Meta:
        db_table = "mission_sources"
        indexes = [
            models.Index(fields=["created_at"], name="source_staged", condition=Q(session__isnull=True)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["session", "sha256"], name="source_once_a_mission"),
            models.UniqueConstraint(fields=["draft_id", "sha256"], name="source_once_a_draft"),
            models.CheckConstraint(
                condition=Q(session__isnull=True) ^ Q(draft_id__isnull=True), name="source_of_mission_or_draft"
            ),
            one_of("origin", SourceOrigin, "source_origin"),
        ]

    def __str__(self) -> str:
        return self.name


class MissionPassage(models.Model):
    """A stretch of a source: what is searched, read and cited. `start` and `end` are characters of its text."""

    passage_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    source = models.ForeignKey(MissionSource, on_delete=models.CASCADE, related_name="passages")
    position = models.IntegerField()
    heading = models.TextField(default="", db_default="")
    page = models.IntegerField(null=True)
    start = models.IntegerField()
    end = models.IntegerField()
    content = models.TextField()
    content_vector = VectorField(dimensions=DIMENSION, null=True)
    embedder = models.TextField(default="", db_default="")
    search = models.GeneratedField(
        expression=SearchVector(F("heading"), F("content"), config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        db_table = "mission_passages"
        indexes = [
            models.Index(fields=["source"], name="passage_pending", condition=Q(content_vector__isnull=True)),
            GinIndex(fields=["search"], name="passage_words"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["source", "position"], name="passage_position"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="passage_span"),
        ]

    def __str__(self) -> str:
        return f"passage {self.position} of {self.source_id}"
