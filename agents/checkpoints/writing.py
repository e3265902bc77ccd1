"""From checkpoints and writes to the parameters of their statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from langgraph.checkpoint.base import WRITES_IDX_MAP, ChannelVersions, Checkpoint

from agents.checkpoints.codec import Encoded, columns, hex_text, is_short_scalar, state_hash
from agents.checkpoints.contents import Content
from agents.checkpoints.encryption import Vault
from agents.checkpoints.reading import Head, Held, hashes
from agents.checkpoints.splices import Bases, bases_after, splice
from agents.models.states import Form

FindVersions = Callable[[Mapping[str, str]], Head]
"""From channels and versions to what those versions hold that are stored."""

MakeContent = Callable[[object], tuple[Content, Sequence[Encoded]]]
"""From a value to what holds it, and the stored values that this names."""


@dataclass(slots=True)
class Rows:
    """Rows that name values, and the values that they name."""

    vault: Vault
    rows: list[dict[str, Any]] = field(default_factory=list)
    values: dict[bytes, Encoded] = field(default_factory=dict)
    short: int = 0

    def add(self, content: Content, values: Sequence[Encoded], **names: object) -> None:
        """A row."""
        if content.encoded is not None:
            self.rows.append({**names, "form": content.form, **columns(*self.vault.stored(content.encoded))})
            self.short += len(content.encoded.data)
        else:
            self.rows.append({**names, "form": content.form, "items": hex_text(content.items or b"")})
            self.values.update((one.hash, one) for one in values)

    def add_version(self, content: Content, values: Sequence[Encoded], channel: str, version: str, held: Held) -> Bases:
        """The row of a channel version, as a splice of what the channel held before; returns the next one's bases."""
        if content.items is None or content.form == Form.VALUE:
            is_there = held.hash == content.hash  # for as long as the epoch holds
            self.add(content, () if is_there else values, channel=channel, version=version)
            return ()
        bases = held.bases if held.content is not None and held.content.form == content.form else ()
        part = splice(content.items, bases)
        self.add(
            Content(content.form, items=part.items),
            values[part.head : len(values) - part.tail],  # the others are there, too
            channel=channel,
            version=version,
            level=part.level,
            base=part.base,
            head=part.head,
            tail=part.tail,
        )
        return bases_after(version, content.items, part.level, bases)

    @property
    def size(self) -> int:
        """The bytes of what is new: values, and short ones in their rows."""
        return self.short + sum([len(value.data) for value in self.values.values()])

    def parameters(self) -> dict[str, str]:
        """As the statements take them. One order of values, so that two writers never lock each other out."""
        close = self.vault.stored
        stored = [{"hash": hex_text(hash_), **columns(*close(value))} for hash_, value in sorted(self.values.items())]
        return {"rows": orjson.dumps(self.rows).decode(), "values": orjson.dumps(stored).decode()}


@dataclass(frozen=True, slots=True)
class StatePlan:
    """How a checkpoint is stored: what it holds of each channel, and the rows that are new."""

    head: Head
    rows: Rows

    def parameters(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """As the statement takes them."""
        scalars = {channel: held.scalar for channel, held in self.head.items() if held.is_scalar}
        data = {key: value for key, value in checkpoint.items() if key != "id"} | {"channel_values": scalars}
        return {
            "data": orjson.dumps(data).decode(),
            "hash": state_hash(hashes(self.head)),
            "size": self.rows.size,
            **self.rows.parameters(),
        }


def plan_state(
    vault: Vault,
    content_of: MakeContent,
    checkpoint: Checkpoint,
    fresh: ChannelVersions,
    parent: Head,
    find_versions: FindVersions,
) -> StatePlan:
    """Plan to store a checkpoint.

    A channel's value belongs to its version. Versions in `fresh` are stored with the values that are given;
    the other ones are those of the `parent`, or of an earlier checkpoint. Nothing that a `vault` encrypts stands in
    the checkpoint's own row.
    """
    given, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
    plan = StatePlan({}, Rows(vault))
    for channel, number in fresh.items():
        version = str(number)
        is_held = channel in versions and versions[channel] == number
        if channel not in given:
            held = Held(version)
        elif is_held and not vault.encrypts and is_short_scalar(given[channel]):
            held = Held.of_scalar(version, given[channel])
        else:
            content, values = content_of(given[channel])
            bases = plan.rows.add_version(content, values, channel, version, parent.get(channel, Held("")))
            held = Held.of(version, content, bases)
        if is_held:
            plan.head[channel] = held
    earlier = {channel: str(version) for channel, version in versions.items() if channel not in plan.head}
    plan.head.update(_earlier(earlier, given, parent, find_versions))
    if vault.encrypts:
        _move_scalars(plan, content_of)
    return plan


def _move_scalars(plan: StatePlan, content_of: MakeContent) -> None:
    """Give scalars from before there was a key rows of their own."""
    for channel, held in plan.head.items():
        if held.is_scalar:
            content, values = content_of(held.scalar)
            plan.rows.add(content, values, channel=channel, version=held.version)
            plan.head[channel] = Held.of(held.version, content)


def _earlier(
    versions: Mapping[str, str],
    given: Mapping[str, Any],
    parent: Head,
    find_versions: FindVersions,
) -> Head:
    """What is held of channels that did not change."""
    head = {c: parent[c] for c, version in versions.items() if c in parent and parent[c].version == version}
    strangers = {c: version for c, version in versions.items() if c not in head}
    if strangers:
        found = find_versions(strangers)
        for channel, version in strangers.items():
            if channel not in found and channel in given and is_short_scalar(given[channel]):
                head[channel] = Held.of_scalar(version, given[channel])
            else:
                head[channel] = found.get(channel, Held(version))
    return head


def plan_writes(vault: Vault, content_of: MakeContent, writes: Sequence[tuple[str, Any]]) -> Rows:
    """The rows of a task's writes. Special ones have fixed places: of two such the last counts."""
    placed: dict[int, tuple[str, Any]] = {}
    for position, (channel, value) in enumerate(writes):
        placed[WRITES_IDX_MAP.get(channel, position)] = channel, value
    rows = Rows(vault)
    for place, (channel, value) in placed.items():
        rows.add(*content_of(value), idx=place, channel=channel)
    return rows
