"""Rules that decide requests, and what they have decided."""

from uuid import UUID

from agents.models import Approval, ApprovalRule


def in_force(project_id: UUID) -> list[ApprovalRule]:
    """Those of a project that are neither revoked nor expired, by tool, the newest first. One query."""
    found = ApprovalRule.objects.in_force().filter(project_id=project_id)
    return list(found.select_related("owner").order_by("tool_name", "-created_at"))


def past(project_id: UUID, limit: int = 100) -> list[ApprovalRule]:
    """The others, the newest first. One query."""
    now = ApprovalRule.objects.in_force().filter(project_id=project_id).values("pk")
    found = ApprovalRule.objects.filter(project_id=project_id).exclude(pk__in=now)
    return list(found.select_related("owner", "revoked_by").order_by("-created_at")[:limit])


def is_in_force(rule: ApprovalRule) -> bool:
    """Does it decide now, by the database's clock? One query."""
    return ApprovalRule.objects.in_force().filter(pk=rule.pk).exists()


def decisions(rule: ApprovalRule, limit: int = 50) -> list[Approval]:
    """The latest requests that it decided. One query."""
    found = Approval.objects.filter(rule=rule).select_related("session", "session__root")
    return list(found.order_by("-decided_at")[:limit])


def tools_asked(project_id: UUID) -> list[str]:
    """The tools about which anybody was asked in a project, by name. One query."""
    found = Approval.objects.filter(project_id=project_id).exclude(tool_name="").order_by("tool_name")
    return list(found.values_list("tool_name", flat=True).distinct())
