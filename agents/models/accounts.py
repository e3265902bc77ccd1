"""People, projects, and who may do what in which."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Now

from agents.ids import new_id
from agents.models.fields import choices, one_of
from agents.roles import Role, includes


class User(AbstractUser):
    """A person who signs in, unless the installation has a user model of its own."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        db_table = "users"
        swappable = "AUTH_USER_MODEL"


class Project(models.Model):
    """What keeps missions, people and memories apart. `max_running`: its agents at once, where it has its own limit."""

    project_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.TextField()
    slug = models.SlugField(unique=True)
    max_running = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "projects"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(max_running__isnull=True) | models.Q(max_running__gte=1), name="project_max_running"
            )
        ]

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(models.QuerySet["Membership"]):
    """Named filters of memberships."""

    def able(self, role: Role) -> MembershipQuerySet:
        """Those of active people who have this role at least."""
        return self.filter(role__in=[one for one in Role if includes(one, role)], user__is_active=True)


class Membership(models.Model):
    """A person's role in a project."""

    membership_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.TextField(choices=choices(Role))
    created_at = models.DateTimeField(db_default=Now())

    objects = MembershipQuerySet.as_manager()

    class Meta:
        db_table = "project_memberships"
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once"),
            one_of("role", Role, "membership_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.project_id}"


class AuditEntry(models.Model):
    """What a person did, to what, when. Never changed."""

    audit_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    action = models.TextField()
    target_type = models.TextField()
    target_id = models.UUIDField()
    detail = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "audit_entries"
        indexes = [
            models.Index(fields=["project", "-created_at"], name="audit_by_time"),
            models.Index(fields=["target_type", "target_id"], name="audit_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_type} {self.target_id}"
