"""Checkpoints by hand, as a graph would make them."""

import struct
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointTuple
from langgraph.checkpoint.base.id import uuid6


def config_for(thread_id: str | None = None, ns: str = "", **names: object) -> RunnableConfig:
    """The config of a thread, a fresh one by default."""
    return {"configurable": {"thread_id": thread_id or str(uuid4()), "checkpoint_ns": ns, **names}}


def checkpoint_of(values: Mapping[str, Any], versions: ChannelVersions) -> Checkpoint:
    """A checkpoint with a fresh id."""
    return {
        "v": 4,
        "id": str(uuid6()),
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": dict(values),
        "channel_versions": dict(versions),
        "versions_seen": {"node": dict(versions)},
        "updated_channels": sorted(versions),
    }


def put(
    saver: BaseCheckpointSaver[str], config: RunnableConfig, values: Mapping[str, Any], step: int = 0
) -> RunnableConfig:
    """Store a checkpoint in which each of these channels is new, on top of the one that `config` names."""
    versions: ChannelVersions = {channel: saver.get_next_version(None, None) for channel in values}
    return saver.put(config, checkpoint_of(values, versions), {"source": "loop", "step": step}, versions)


def read(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> CheckpointTuple:
    """The checkpoint that must be there."""
    found = saver.get_tuple(config)
    assert found is not None
    return found


def at(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> RunnableConfig:
    """The config of the checkpoint that must be there, as `put` gave it."""
    return named(read(saver, config).config)


def named(config: RunnableConfig) -> RunnableConfig:
    """What a config names, without what else it tells."""
    return {"configurable": {name: one for name, one in config["configurable"].items() if not name.startswith("__")}}


def values_of(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> dict[str, Any]:
    """The channel values of a checkpoint that must be there."""
    return read(saver, config).checkpoint["channel_values"]


def identical(one: object, other: object) -> bool:
    """Equal to the bit: types, the sign of zero, NaN, the order of keys."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return identical(list(one.items()), list(other.items()))
    return one == other
