"""What happens to tool calls in a project: versions of its policy, and rules that decide for people."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.lifecycle import RuleVerdict
from agents.models.accounts import Project
from agents.models.fields import choices, one_of


class PolicyVersion(models.Model):
    """One version of a project's policy: the highest number is in force. `document`: `agents.policies.policy`."""

    version_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="policies")
    number = models.IntegerField()
    document = models.JSONField(default=dict, db_default={})
    note = models.TextField(default="", db_default="")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "policy_versions"
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="policy_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="policy_number_positive"),
        ]

    def __str__(self) -> str:
        return f"policy {self.number} of {self.project_id}"


class ApprovalRuleQuerySet(models.QuerySet["ApprovalRule"]):
    """Named filters of rules."""

    def in_force(self) -> ApprovalRuleQuerySet:
        """Neither revoked nor expired, by the database's clock."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), revoked_at__isnull=True)


class ApprovalRule(models.Model):
    """Decides requests about one tool in the name of its owner, where its conditions hold.

    `conditions`: `agents.policies.conditions`, but for the tool. `made_from`: the request whose card it was made on.
    """

    rule_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="approval_rules")
    name = models.TextField()
    tool_name = models.TextField()
    verdict = models.TextField(choices=choices(RuleVerdict))
    conditions = models.JSONField(default=dict, db_default={})
    reason = models.TextField(default="", db_default="")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="approval_rules")
    made_from = models.ForeignKey("agents.Approval", on_delete=models.SET_NULL, null=True, related_name="+")
    hits = models.IntegerField(default=0, db_default=0)
    last_hit_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    objects = ApprovalRuleQuerySet.as_manager()

    class Meta:
        db_table = "approval_rules"
        indexes = [
            models.Index(fields=["project", "tool_name"], name="rule_in_force", condition=Q(revoked_at__isnull=True)),
        ]
        constraints = [
            one_of("verdict", RuleVerdict, "rule_verdict"),
            models.CheckConstraint(condition=~Q(verdict=RuleVerdict.REJECT) | ~Q(reason=""), name="rule_reason"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")), name="rule_expiry"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.tool_name}: {self.name}"
