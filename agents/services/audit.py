"""What people did."""

from typing import Any
from uuid import UUID

from agents.events import causes
from agents.ids import new_id
from agents.models import AuditEntry


def record(
    user_id: UUID,
    action: str,
    *,
    project_id: UUID | None,
    target: tuple[str, UUID],
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Keep that a person did `action` to `target` (its kind and id). `detail` holds no secrets and no texts.

    The first entry of an act has its id, which stands in the events that the act led to as their cause.
    """
    act_id = causes.act_id()
    is_first = act_id is not None and not AuditEntry.objects.filter(pk=act_id).exists()
    return AuditEntry.objects.create(
        audit_id=act_id if is_first else new_id(),
        project_id=project_id,
        user_id=user_id,
        action=action,
        target_type=target[0],
        target_id=target[1],
        detail=detail or {},
    )
