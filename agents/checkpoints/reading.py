"""From rows to checkpoints, with the hashes checked on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, CheckpointTuple

from agents.checkpoints.codec import Encoded, decode, scalar_hash, state_hash
from agents.checkpoints.errors import StateDamaged
from agents.checkpoints.threads import config_of

if TYPE_CHECKING:
    from uuid import UUID

    from langgraph.checkpoint.serde.base import SerializerProtocol

Values = Mapping[bytes, Encoded]


class Held(NamedTuple):
    """What a checkpoint holds of a channel. No hash: nothing. A short scalar stands in its row."""

    version: str
    hash: bytes | None = None
    is_scalar: bool = False
    scalar: Any = None

    @classmethod
    def of_scalar(cls, version: str, scalar: object) -> Held:
        """For a value that stands in the checkpoint's row."""
        return cls(version, scalar_hash(scalar), True, scalar)


Head = dict[str, Held]


class StateRow(NamedTuple):
    """A row of the reading statements."""

    session_id: UUID
    thread_id: str | None
    checkpoint_ns: str
    checkpoint_id: UUID
    parent_id: UUID | None
    state_data: str
    metadata: str
    state_hash: bytes
    epoch: int
    space_id: UUID
    versions: list[tuple[str, bytes | None, str | None, bytes | None]] | None
    writes: list[tuple[str, str, bytes | None, str | None, bytes | None]] | None

    @property
    def thread(self) -> str:
        """LangGraph's name of the thread."""
        return self.thread_id or str(self.session_id)


class Reference(NamedTuple):
    """How a row names a value: by the hash, and the value itself where it stands in the row."""

    hash: bytes
    encoded: Encoded | None

    @classmethod
    def of(cls, items: bytes | None, kind: str | None, data: bytes | None) -> Reference:
        """From the columns of a channel version or a write."""
        if items is not None:
            return cls(items, None)
        encoded = Encoded(kind or "", data or b"")
        return cls(encoded.hash, encoded)

    def value(self, serde: SerializerProtocol, values: Values) -> Any:
        """The value. Raises StateDamaged if the space has it no more."""
        encoded = self.encoded or values.get(self.hash)
        if encoded is None:
            raise StateDamaged(f"the value {self.hash.hex()} is missing", value=self.hash.hex())
        return decode(serde, encoded)


@dataclass(frozen=True, slots=True)
class StoredState:
    """A checkpoint as it is stored, its values still to come."""

    row: StateRow
    data: dict[str, Any]
    channels: dict[str, Reference]
    writes: list[tuple[str, str, Reference]]

    @classmethod
    def of(cls, row: StateRow) -> StoredState:
        """From a row."""
        return cls(
            row,
            orjson.loads(row.state_data),
            {version[0]: Reference.of(*version[1:]) for version in row.versions or ()},
            [(write[0], write[1], Reference.of(*write[2:])) for write in row.writes or ()],
        )

    @property
    def needed(self) -> set[bytes]:
        """The hashes of values that stand in the space."""
        named = [*self.channels.values(), *(reference for _, _, reference in self.writes)]
        return {reference.hash for reference in named if reference.encoded is None}

    @property
    def head(self) -> Head:
        """What it holds of each channel."""
        scalars = self.data["channel_values"]
        head: Head = {}
        for channel, version in self.data["channel_versions"].items():
            if channel in scalars:
                scalar = scalars[channel]
                head[channel] = Held.of_scalar(str(version), scalar)
            elif channel in self.channels:
                head[channel] = Held(str(version), self.channels[channel].hash)
            else:
                head[channel] = Held(str(version))
        return head

    def build(self, serde: SerializerProtocol, values: Values) -> CheckpointTuple:
        """LangGraph's tuple. Raises StateDamaged if the contents are not those that were stored."""
        row = self.row
        if state_hash(hashes(self.head)) != row.state_hash:
            raise StateDamaged(f"the state {row.checkpoint_id} is damaged", checkpoint_id=str(row.checkpoint_id))
        channel_values = dict(self.data["channel_values"])
        for channel, reference in self.channels.items():
            channel_values.setdefault(channel, reference.value(serde, values))
        checkpoint: Checkpoint = {**self.data, "id": str(row.checkpoint_id), "channel_values": channel_values}  # type: ignore[typeddict-item]  # as it was given to put
        metadata: CheckpointMetadata = orjson.loads(row.metadata)
        return CheckpointTuple(
            config=config_of(row.thread, row.checkpoint_ns, row.checkpoint_id),
            checkpoint=checkpoint,
            metadata=metadata,
            parent_config=config_of(row.thread, row.checkpoint_ns, row.parent_id) if row.parent_id else None,
            pending_writes=[
                (task, channel, reference.value(serde, values)) for task, channel, reference in self.writes
            ],
        )


def hashes(head: Head) -> dict[str, bytes]:
    """The hash of each channel that holds something."""
    return {channel: held.hash for channel, held in head.items() if held.hash is not None}
