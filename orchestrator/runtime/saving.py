"""The saver of the runner: the fence is in the transaction of each write, and a run may hold states back."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from agents.checkpoints import Permit
from agents.checkpoints.encryption import Vault
from agents.checkpoints.saver import QueenrightSaver
from agents.services import damage
from orchestrator.conf import state_keys
from orchestrator.runtime.durability import Held, HeldState, HeldWrites
from orchestrator.runtime.metering import Meter

LEASE = "__lease"  # a key with two underscores stays out of the metadata, and sub-graphs inherit it
METER = "__meter"  # what counts the steps of this run
GUARD = "__guard"  # the way to tools of this run, for graphs that are given no context of ours
HELD = "__held"  # what this run holds back; without it, everything is written at once


class RunSaver(QueenrightSaver):
    """Hands the writes of a run that holds states back to what it holds. A read comes after what is held of it."""

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `QueenrightSaver.put`, now or later. A state ends a step, which is counted before the next one begins."""
        held = _held(config)
        if held is None:
            saved = super().put(config, checkpoint, metadata, new_versions)
        else:
            held.put(HeldState(config, checkpoint, metadata, new_versions))
            saved = {**config, "configurable": {**config["configurable"], "checkpoint_id": checkpoint["id"]}}
        _meter(config, metadata)
        return saved

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `QueenrightSaver.put_writes`, now or later."""
        held = _held(config)
        if held is None:
            super().put_writes(config, writes, task_id, task_path)
        else:
            held.put_writes(HeldWrites(config, writes, task_id, task_path))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `QueenrightSaver.get_tuple`."""
        held = _read(config)
        found = super().get_tuple(config)
        if held is not None and found is not None:
            held.goes_on_from(found)
        return found

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """As `QueenrightSaver.list`."""
        if config is not None:
            _read(config)
        return super().list(config, filter=filter, before=before, limit=limit)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `QueenrightSaver.get_delta_channel_history`."""
        _read(config)
        return super().get_delta_channel_history(config=config, channels=channels)


def _meter(config: RunnableConfig, metadata: CheckpointMetadata) -> None:
    names = config["configurable"]
    meter: Meter | None = names.get(METER)
    if meter is not None and not names.get("checkpoint_ns") and metadata.get("step", 0) > 0:  # 0 is the input's
        meter.step()


def _held(config: RunnableConfig) -> Held | None:
    found: Held | None = config["configurable"].get(HELD)
    return found


def _read(config: RunnableConfig) -> Held | None:
    held = _held(config)
    if held is not None:
        held.write_for(config["configurable"].get("checkpoint_ns", ""))
    return held


@cache
def saver() -> RunSaver:
    """The saver of this process."""
    keys = state_keys()
    return RunSaver(fence=_fence, on_damage=damage.record, key=keys.key, old_keys=keys.old)


@cache
def unfenced() -> QueenrightSaver:
    """One for sessions that nobody can run, because the caller's transaction makes them."""
    keys = state_keys()
    return QueenrightSaver(key=keys.key, old_keys=keys.old)


@cache
def vault() -> Vault:
    """What is stored beside the states is encrypted as they are."""
    keys = state_keys()
    return Vault(keys.key, keys.old)


def _fence(config: RunnableConfig) -> Permit:
    permit: Permit = config["configurable"][LEASE]
    return permit
