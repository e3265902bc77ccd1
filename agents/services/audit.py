"""What people did."""

from typing import Any
from uuid import UUID

from agents.models import AuditEntry


def record(
    user_id: UUID,
    action: str,
    *,
    project_id: UUID | None,
    target: tuple[str, UUID],
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Keep that a person did `action` to `target` (its kind and id). `detail` holds no secrets and no texts."""
    return AuditEntry.objects.create(
        project_id=project_id,
        user_id=user_id,
        action=action,
        target_type=target[0],
        target_id=target[1],
        detail=detail or {},
    )
