"""What people did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agents.events import causes
from agents.ids import new_id
from agents.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Deed:
    """An action of a person, what it was done to (kind and id), and details without secrets and texts."""

    action: str
    project_id: UUID | None
    target: tuple[str, UUID]
    detail: dict[str, Any] = field(default_factory=dict)


def record(
    user_id: UUID,
    action: str,
    *,
    project_id: UUID | None,
    target: tuple[str, UUID],
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Keep that a person did `action` to `target` (its kind and id). `detail` holds no secrets and no texts.

    The first entry of an act has its id, which stands in the events that the act led to as their cause. What a program
    did with a person's API token names the token.
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
        detail=_with_token(detail or {}),
    )


def record_all(user_id: UUID, deeds: Sequence[Deed]) -> list[UUID]:
    """Keep that a person did many things at once; the ids of the entries, which stand in events as their causes."""
    made = AuditEntry.objects.bulk_create(
        AuditEntry(
            project_id=deed.project_id,
            user_id=user_id,
            action=deed.action,
            target_type=deed.target[0],
            target_id=deed.target[1],
            detail=_with_token(deed.detail),
        )
        for deed in deeds
    )
    return [entry.pk for entry in made]


def _with_token(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Details, with the API token where a program did it."""
    token = causes.token()
    return {**detail, "token": str(token)} if token else dict(detail)
