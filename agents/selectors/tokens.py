"""API tokens of a person."""

from agents.models import ApiToken, User


def in_force(user: User) -> list[ApiToken]:
    """Those that hold, the latest first. One query."""
    return list(ApiToken.objects.in_force().filter(user=user).order_by("-created_at"))


def past(user: User, limit: int = 20) -> list[ApiToken]:
    """The latest of those that were revoked or have expired. One query."""
    held = ApiToken.objects.in_force().filter(user=user)
    return list(ApiToken.objects.filter(user=user).exclude(pk__in=held.values("pk")).order_by("-created_at")[:limit])
