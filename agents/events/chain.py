"""The hash chain of an aggregate: what a hash covers, and how a chain is checked.

A hash is SHA-256 over the hash before it, the version, the time in microseconds since 1970 and the canonical JSON of
everything else that is stored. Events from before the hash covered time and project are known by their older form.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from agents.events.digests import canonical
from agents.events.rows import Row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """Since 1970, as the hash covers it."""
    return (time - EPOCH) // timedelta(microseconds=1)


def body(
    event_id: UUID,
    event_type: str,
    aggregate_id: UUID,
    data: dict[str, Any],
    metadata: dict[str, Any],
    correlation_id: UUID,
    causation_id: UUID | None,
    *project_id: UUID,
) -> bytes:
    """The canonical JSON that the hash of an event covers."""
    return canonical([event_id, event_type, aggregate_id, data, metadata, correlation_id, causation_id, *project_id])


class Chain:
    """Goes along the events of one aggregate, in order, as far as they are sound."""

    def __init__(self) -> None:
        """Before the first event."""
        self.version = 0
        self.hash = b""

    def fault(self, row: Row) -> str:
        """What is wrong with the next event, in words; empty if it is the next one, and then it is passed."""
        if row.version > self.version + 1:
            missing = self.version + 1
            return "is missing" if row.version == missing + 1 else f"to {row.version - 1} are missing"
        if row.version == self.version + 1 and row.hash in (_hash(self.hash, row), _older(self.hash, row)):
            self.version, self.hash = row.version, row.hash
            return ""
        return "was changed"

    def fault_of_head(self, version: int, head_hash: bytes) -> str:
        """What is wrong with the head after the last event, in words; empty if it names just that."""
        if version > self.version:
            missing = self.version + 1
            return "is missing" if version == missing else f"to {version} are missing"
        if version < self.version or head_hash != self.hash:
            return "is not the one that the head names"
        return ""


def _hash(before: bytes, row: Row) -> bytes:
    at = microseconds(row.at)
    return hashlib.sha256(before + f"{row.version}:{at}:".encode() + body(*_covered(row), row.project_id)).digest()


def _older(before: bytes, row: Row) -> bytes:
    return hashlib.sha256(before + f"{row.version}:".encode() + body(*_covered(row))).digest()


def _covered(row: Row) -> tuple[UUID, str, UUID, dict[str, Any], dict[str, Any], UUID, UUID | None]:
    return (
        row.event_id,
        row.event_type,
        row.aggregate_id,
        row.data,
        row.metadata,
        row.correlation_id,
        row.causation_id,
    )
