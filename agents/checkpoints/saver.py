"""LangGraph's saver on the tables of `agents.models.states`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)

from agents.checkpoints import copying, deletion, sql
from agents.checkpoints.connections import scoped
from agents.checkpoints.contents import Contents
from agents.checkpoints.deltas import LINEAGE_OF_EXACT, LINEAGE_OF_LATEST, Ancestor, StoredHistory
from agents.checkpoints.encryption import Vault
from agents.checkpoints.errors import SpaceBusy, StateDamaged
from agents.checkpoints.listing import Listing
from agents.checkpoints.loading import Loader
from agents.checkpoints.reading import StateRow
from agents.checkpoints.serializer import StrictSerializer
from agents.checkpoints.store import STATE, TRIES, WRITES, StateStore
from agents.checkpoints.threads import CANONICAL_UUID, canonical_uuid, config_of, session_of
from agents.checkpoints.writing import StatePlan, plan_state, plan_writes
from agents.storable import jsonb_text

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from agents.checkpoints.codec import Encoded
    from agents.checkpoints.contents import Content
    from agents.checkpoints.damage import OnDamage
    from agents.checkpoints.store import Fence
    from agents.checkpoints.threads import EnsureThread


FOLLOWS = "__follows"  # in the config of a run, which LangGraph hands from its read to its writes: it read the latest


class QueenrightSaver(BaseCheckpointSaver[str]):
    """Checkpoints of LangGraph threads, each value stored once in its mission.

    A thread is a session (`threads.session_of`). Works on Django's connection of the calling thread, also
    inside a caller's transaction. The asynchronous methods run the others in threads, so they never see a
    transaction of the caller's. One saver serves any number of threads.

    While the database is away, each method raises Django's OperationalError. Once it is back, the next call works.
    """

    def __init__(
        self,
        *,
        allowed: Collection[type | tuple[str, ...]] = (),
        fence: Fence | None = None,
        ensure_thread: EnsureThread | None = None,
        on_damage: OnDamage | None = None,
        key: bytes | None = None,
        old_keys: Sequence[bytes] = (),
    ) -> None:
        """Make a saver.

        `allowed`: types that states may hold beside LangGraph's safe ones; others load as plain data.
        `fence(config)` gives each write its permit, or raises to refuse it.
        `ensure_thread` makes the session of a thread that has none; without it such a write is refused.
        `on_damage(damage)` is told once of each damaged checkpoint, in the transaction that marks it.
        With a `key` of AES (16, 24 or 32 bytes) what states hold is encrypted; with `old_keys` it can be read, too.
        """
        super().__init__(serde=StrictSerializer(allowed))
        self._vault = Vault(key, old_keys)
        self._store = StateStore(fence, ensure_thread, self._vault)
        self._loader = Loader(self._store, on_damage)
        self._contents = Contents(self._vault.hash_key)

    def get_next_version(self, current: str | None, channel: None) -> str:
        """A version after `current`, never the same on two branches of a thread."""
        number = int(str(current).split(".")[0]) if current else 0
        return f"{number + 1:010d}.{random.getrandbits(40):010x}"  # tells branches apart

    def _content(self, value: object) -> tuple[Content, Sequence[Encoded]]:
        return self._contents.of(self.serde, value)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, its parent being the one that `config` names.

        A run that went on from the latest checkpoint, or began the thread, is refused with ThreadMoved once somebody
        else has written to it: nothing forks but from a checkpoint that was asked for. Behind a fence there is one
        run only.
        Raises ValueError if an id is not a canonical UUID, UnknownThread, SpaceBusy, what the fence raises. Without
        an answer of the database it raises Django's OperationalError: then it may be stored or not, and may be put
        again as it is.
        """
        names = config["configurable"]
        session, ns = session_of(names["thread_id"])[0], names.get("checkpoint_ns", "")
        this = _canonical(checkpoint["id"])
        parent = _canonical(names["checkpoint_id"]) if names.get("checkpoint_id") else None
        constant = {
            "ns": ns,
            "id": this,
            "parent": parent,
            "follows": names.get(FOLLOWS, False) or _begins(names, metadata),
            "metadata": jsonb_text(get_serializable_checkpoint_metadata(config, metadata)),
        }
        planned: StatePlan

        def plan(epoch: int, moved: bool) -> dict[str, Any]:
            nonlocal planned
            versions, values = checkpoint["channel_versions"], checkpoint["channel_values"]
            given = {channel: version for channel, version in versions.items() if channel in values}
            before = self._store.head(session, epoch, ns, parent) if parent else {}
            planned = plan_state(
                self._vault,
                self._content,
                checkpoint,
                given | new_versions if moved or not before else new_versions,  # what was stored before may be gone
                before,
                lambda versions: self._store.versions(session, ns, versions),
            )
            return {**constant, **planned.parameters(checkpoint)}

        def remember(epoch: int) -> None:
            self._store.remember_head(session, epoch, ns, this, planned.head)
            self._store.remember_values(planned.rows.values)

        self._store.write(config, STATE, plan, remember)
        return config_of(names["thread_id"], ns, this)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote on top of the checkpoint that `config` names; it may come before it.

        Raises as `put` does.
        """
        names = config["configurable"]
        rows = plan_writes(self._vault, self._content, writes)
        parameters = {
            **rows.parameters(),
            "ns": names.get("checkpoint_ns", ""),
            "id": _canonical(names["checkpoint_id"]),
            "task": task_id,
            "path": task_path,
        }
        self._store.write(
            config, WRITES, lambda epoch, moved: parameters, lambda epoch: self._store.remember_values(rows.values)
        )

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the latest; None if there is none.

        If something of the latest is lost or changed, that is marked, and the nearest sound checkpoint that it came
        from takes its place: the next one follows that. One that is named is given as it was put or not at all.
        Raises StateDamaged, StateKeyMissing, SpaceBusy.
        """
        names, wanted = config["configurable"], get_checkpoint_id(config)
        session, ns = session_of(names["thread_id"])[0], names.get("checkpoint_ns", "")
        with scoped():
            if wanted:
                found = self._loader.exact(self.serde, session, ns, canonical_uuid(wanted))
            else:
                found = self._loader.latest(self.serde, session, ns)
        if found is not None and not self._store.is_fenced and (FOLLOWS in names or not wanted):
            found.config["configurable"][FOLLOWS] = not wanted
        return found

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, newest first: of one thread, one namespace of it, or all; `filter` compares metadata.

        Damaged ones are marked and left out. No connection is held while the caller looks at them.
        Raises StateDamaged if `config` names a damaged one.
        """
        listing: Listing | None = Listing.of(config, filter, before, limit)
        while listing is not None:
            page, listing = self._page(listing)
            yield from page

    def _page(self, listing: Listing) -> tuple[Sequence[CheckpointTuple], Listing | None]:
        """One page of a listing, and the listing of what follows."""
        with scoped():
            rows = [StateRow(*row) for row in self._store.fetch(listing.statement, listing.parameters)]
            page = self._loader.page(self.serde, rows, is_exact=listing.is_exact)
            return page, listing.after(rows, len(page))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """What each channel is rebuilt from at the checkpoint that `config` names, or the latest.

        Raises StateDamaged if a value is missing or not what was put, SpaceBusy.
        """
        names, wanted = config["configurable"], get_checkpoint_id(config)
        session = session_of(names["thread_id"])[0]
        parameters: dict[str, Any] = {
            "session": session,
            "ns": names.get("checkpoint_ns", ""),
            "channels": list(channels),
        }
        statement = LINEAGE_OF_EXACT if wanted else LINEAGE_OF_LATEST
        if wanted:
            parameters["id"] = canonical_uuid(wanted)
        with scoped():
            for _ in range(TRIES):
                ancestors = [Ancestor(*row) for row in self._store.fetch(statement, parameters)]
                history = StoredHistory.of(ancestors, self._vault)
                try:
                    values = self._store.values(history.contents, {one.space_id for one in ancestors})
                    return history.build(channels, self.serde, values)
                except StateDamaged:  # or deleted between two statements of this read
                    if self._store.is_unmoved(session, ancestors[0].epoch, ancestors[0].space_id):
                        raise
        raise SpaceBusy

    def delete_thread(self, thread_id: str) -> None:
        """Delete all of a thread, and the values that no other thread of its mission has."""
        deletion.delete_thread(session_of(thread_id)[0])

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of these runs with their writes, in every thread, so in copies too.

        What a delta channel was to be rebuilt from goes with them.
        """
        deletion.delete_runs([str(run) for run in run_ids])

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest", keep: int = 1) -> None:
        """Delete checkpoints of threads: all of them ("delete"), or all but the newest `keep` of each namespace.

        The latter leaves named checkpoints, bases of forks, those whose question waits for an answer, and the
        ancestors that delta channels need. Those that stay are not touched: a parent may be gone.
        Raises ValueError for another strategy, and for a `keep` under 1.
        """
        if isinstance(thread_ids, str) or strategy not in ("keep_latest", "delete") or keep < 1:
            raise ValueError(f"cannot prune {thread_ids!r} by {strategy!r}, keeping {keep}")
        for thread_id in thread_ids:
            session = session_of(thread_id)[0]
            if strategy == "delete":
                deletion.delete_thread(session)
            else:
                deletion.prune(session, keep)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all of a thread, if there is any, to one that has no checkpoints.

        Raises UnknownThread if the target can have none, ThreadNotEmpty if it has some.
        """
        source, (target, thread) = session_of(source_thread_id)[0], session_of(target_thread_id)
        with scoped():
            if self._store.fetch(sql.EPOCH, {"session": source}):
                self._store.space(target, thread)
                copying.copy_thread(source, target)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `put_writes`."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        listing: Listing | None = Listing.of(config, filter, before, limit)
        while listing is not None:
            page, listing = await asyncio.to_thread(self._page, listing)
            for found in page:
                yield found

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `get_delta_channel_history`."""
        return await asyncio.to_thread(self.get_delta_channel_history, config=config, channels=channels)

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest", keep: int = 1) -> None:
        """As `prune`."""
        await asyncio.to_thread(self.prune, thread_ids, strategy=strategy, keep=keep)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)


def _begins(names: Mapping[str, Any], metadata: CheckpointMetadata) -> bool:
    """Whether a run of a graph found no checkpoint to go on from, and none was asked for."""
    is_first = metadata.get("source") == "input" and metadata.get("step") == -1
    return is_first and not names.get("checkpoint_ns") and not names.get("checkpoint_id")


def _canonical(checkpoint_id: str) -> str:
    if not CANONICAL_UUID.fullmatch(str(checkpoint_id)):
        raise ValueError(f"a checkpoint's id is a UUID, not {checkpoint_id!r}")
    return str(checkpoint_id)
