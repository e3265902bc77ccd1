"""From rows to checkpoints, with the hashes checked on the way."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, CheckpointTuple, PendingWrite

from agents.checkpoints.codec import scalar_hash, state_hash
from agents.checkpoints.contents import Content, Values
from agents.checkpoints.errors import StateDamaged
from agents.checkpoints.splices import Base, Bases, Splice, bases_after
from agents.checkpoints.threads import config_of
from agents.models.states import Form

if TYPE_CHECKING:
    from uuid import UUID

    from langgraph.checkpoint.serde.base import SerializerProtocol

    from agents.checkpoints.encryption import Vault

SEAL_BYTES = 16
LOST_WRITES = "something that was written on top of it is lost"


class Held(NamedTuple):
    """What a checkpoint holds of a channel. No hash: nothing. No content, but a hash: a short scalar in its row.

    The next version may be a splice of `bases`.
    """

    version: str
    hash: bytes | None = None
    content: Content | None = None
    bases: Bases = ()
    scalar: Any = None

    @classmethod
    def of(cls, version: str, content: Content, bases: Bases = ()) -> Held:
        """For what has a row of its own."""
        return cls(version, content.hash, content, bases)

    @classmethod
    def of_scalar(cls, version: str, scalar: object) -> Held:
        """For a value that stands in the checkpoint's row."""
        return cls(version, scalar_hash(scalar), scalar=scalar)

    @property
    def is_scalar(self) -> bool:
        """Whether it stands in the checkpoint's row."""
        return self.content is None and self.hash is not None

    @property
    def weight(self) -> int:
        """About how many bytes are kept of it; what versions share is kept once."""
        items = self.content.items if self.content else None
        others = [base.items for base in self.bases if base.items is not items]
        return 200 + sum(map(len, [*others, items or b""]))


Head = dict[str, Held]


class Known(NamedTuple):
    """A checkpoint of which it is known what it held under an epoch."""

    checkpoint: UUID
    epoch: int
    head: Head


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
    seal: bytes | None
    is_current: bool
    epoch: int
    space_id: UUID
    versions: list[tuple[Any, ...]] | None
    writes: list[tuple[Any, ...]] | None

    @property
    def thread(self) -> str:
        """LangGraph's name of the thread."""
        return self.thread_id or str(self.session_id)

    @property
    def is_as_sealed(self) -> bool:
        """Whether it is as `sql.PUT` made it."""
        told = (self.checkpoint_id, self.parent_id, self.state_data, self.metadata)
        text = "/".join(str(one) for one in told if one is not None)
        return self.seal is None or sha256(text.encode()).digest()[:SEAL_BYTES] == self.seal

    def fault(self, reason: str) -> StateDamaged:
        """The error that names this checkpoint."""
        name = str(self.checkpoint_id)
        return StateDamaged(f"The checkpoint {name} is damaged: {reason}.", checkpoint_id=name, reason=reason)


class VersionRow(NamedTuple):
    """A channel version with those that it builds on, as the reading statements give it."""

    channel: str
    version: str
    form: str
    kind: str | None
    data: bytes | None
    items: bytes | None
    level: int
    base: str | None
    head: int
    tail: int
    near_items: bytes | None
    near_base: str | None
    near_head: int | None
    near_tail: int | None
    full_items: bytes | None

    def held(self, vault: Vault) -> Held:
        """What it holds, and what the next version may build on."""
        return Held.of(self.version, *self.parts(vault))

    def parts(self, vault: Vault) -> tuple[Content, Bases]:
        """The same, as content and bases."""
        if self.items is None:
            return content_of(vault, self.form, self.kind, self.data), ()
        near, bases = self._near()
        items = Splice(self.items, self.level, self.base, self.head, self.tail).applied(near)
        if items is None or self.form == Form.VALUE:
            return Content(self.form, items=items), ()
        return Content(self.form, items=items), bases_after(self.version, items, self.level, bases)

    def _near(self) -> tuple[bytes | None, Bases]:
        """All items of the version that this one builds on, and what both build on."""
        if self.base is None or self.near_items is None:
            return None, ()
        if self.near_base is None:
            return self.near_items, (Base(self.base, self.near_items),)
        own = Splice(self.near_items, 1, self.near_base, self.near_head or 0, self.near_tail or 0)
        near = own.applied(self.full_items)
        if near is None or self.full_items is None:
            return None, ()
        return near, (Base(self.near_base, self.full_items), Base(self.base, near))


def content_of(vault: Vault, form: str, kind: str | None, data: bytes | None, items: bytes | None = None) -> Content:
    """What a write or a version holds, from its columns."""
    if items is not None:
        return Content(form, items=items)
    try:
        return Content(form, vault.opened(kind or "", data or b""))
    except StateDamaged:
        return Content(form)


@dataclass(frozen=True, slots=True)
class StoredState:
    """A checkpoint as it is stored, its values still to come."""

    row: StateRow
    data: dict[str, Any]
    head: Head
    writes: list[tuple[str, str, Content]]

    @classmethod
    def of(cls, row: StateRow, vault: Vault, known: Known | None = None) -> StoredState:
        """From a row: what it holds is read from its versions, or `known`.

        Raises StateDamaged if it is not as it was saved.
        """
        data = orjson.loads(row.state_data)
        if not (row.is_as_sealed and _is_checkpoint(data)):
            raise row.fault("its row was changed")
        if known is not None and (known.checkpoint, known.epoch) == (row.checkpoint_id, row.epoch):
            stored = known.head
        else:
            versions = (VersionRow(*version) for version in row.versions or ())
            stored = {version.channel: version.held(vault) for version in versions}
        writes = [(write[0], write[1], content_of(vault, *write[2:])) for write in row.writes or ()]
        return cls(row, data, _head(data, stored), writes)

    @property
    def contents(self) -> list[Content]:
        """All that is held outside of its row."""
        held = [held.content for held in self.head.values() if held.content is not None]
        return [*held, *(content for _, _, content in self.writes)]

    def build(self, serde: SerializerProtocol, values: Values) -> CheckpointTuple:
        """LangGraph's tuple. Raises StateDamaged if it is not what was saved."""
        found, lost_tasks = self.restore(serde, values)
        if lost_tasks:
            raise self.row.fault(LOST_WRITES)
        return found

    def restore(self, serde: SerializerProtocol, values: Values) -> tuple[CheckpointTuple, list[str]]:
        """LangGraph's tuple without the writes of tasks that lost some, and these tasks.

        Raises StateDamaged if the contents are not those that were saved.
        """
        row = self.row
        channel_values = self._channel_values(serde, values)
        pending_writes, lost_tasks = self._pending_writes(serde, values)
        checkpoint: Checkpoint = {**self.data, "id": str(row.checkpoint_id), "channel_values": channel_values}  # type: ignore[typeddict-item]  # as it was given to put
        metadata: CheckpointMetadata = orjson.loads(row.metadata)
        found = CheckpointTuple(
            config=config_of(row.thread, row.checkpoint_ns, row.checkpoint_id),
            checkpoint=checkpoint,
            metadata=metadata,
            parent_config=config_of(row.thread, row.checkpoint_ns, row.parent_id) if row.parent_id else None,
            pending_writes=pending_writes,
        )
        return found, lost_tasks

    def _channel_values(self, serde: SerializerProtocol, values: Values) -> dict[str, Any]:
        if state_hash(hashes(self.head)) != self.row.state_hash:
            raise self.row.fault("its contents are not those that were saved")
        found = dict(self.data["channel_values"])
        for channel, held in self.head.items():
            if held.content is not None:
                try:
                    found[channel] = held.content.value(serde, values)
                except StateDamaged as lost:
                    raise self.row.fault(f"of {channel}, {lost}") from lost
        return found

    def _pending_writes(self, serde: SerializerProtocol, values: Values) -> tuple[list[PendingWrite], list[str]]:
        found: list[PendingWrite] = []
        lost_tasks: list[str] = []
        for task, channel, content in self.writes:
            try:
                found.append((task, channel, content.value(serde, values)))
            except StateDamaged:
                lost_tasks.append(task)
            except (KeyError, TypeError, ValueError):
                if content.items is not None:  # it has a hash, and is what was saved
                    raise
                lost_tasks.append(task)
        return [write for write in found if write[0] not in lost_tasks] if lost_tasks else found, lost_tasks


def _head(data: dict[str, Any], stored: Head) -> Head:
    """What a checkpoint holds of each channel: short scalars stand in its row."""
    scalars = data["channel_values"]
    head: Head = {}
    for channel, number in data["channel_versions"].items():
        version = str(number)
        held = stored.get(channel)
        if channel in scalars:
            head[channel] = Held.of_scalar(version, scalars[channel])
        else:
            head[channel] = held if held is not None and held.version == version else Held(version)
    return head


def _is_checkpoint(data: Any) -> bool:
    return isinstance(data, dict) and all(
        isinstance(data.get(part), dict) for part in ("channel_values", "channel_versions")
    )


def hashes(head: Head) -> dict[str, bytes]:
    """The hash of each channel that holds something."""
    return {channel: held.hash for channel, held in head.items() if held.hash is not None}
