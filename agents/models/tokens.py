"""API tokens: with one a program acts as the person who made it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from agents.ids import new_id


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Named filters of tokens."""

    def in_force(self) -> ApiTokenQuerySet:
        """Neither revoked nor expired, by the database's clock."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), revoked_at__isnull=True)


class ApiToken(models.Model):
    """A token of a person. Its text is kept nowhere: `hash` is its SHA-256, `prefix` how it begins.

    `last_used_at` is written at most once a minute.
    """

    token_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.TextField()
    prefix = models.TextField()
    hash = models.TextField(unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_tokens"
        indexes = [models.Index(fields=["user", "-created_at"], name="token_by_user")]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="token_name"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")), name="token_expiry"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"
