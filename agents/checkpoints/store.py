"""The database side of the saver: conditional writes, reads, what is remembered between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

import orjson
from django.db import IntegrityError, connection, transaction
from psycopg import Cursor
from psycopg.errors import UniqueViolation

from agents.checkpoints import sql
from agents.checkpoints.caches import BoundedCache
from agents.checkpoints.connections import after_commit, borrowing, scoped
from agents.checkpoints.contents import Content, Values, needed
from agents.checkpoints.errors import SpaceBusy, StateDamaged, ThreadMoved, UnknownThread
from agents.checkpoints.reading import Head, Known, StateRow, StoredState, VersionRow
from agents.checkpoints.statements import Statement
from agents.checkpoints.threads import session_of

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from psycopg import Connection

    from agents.checkpoints.codec import Encoded
    from agents.checkpoints.encryption import Vault
    from agents.checkpoints.threads import EnsureThread

    Plan = Callable[[int, bool], dict[str, Any]]
    Fence = Callable[[RunnableConfig], "Permit"]

TRIES = 50  # of a write or a read, while others write or delete in the same place
KNOWN_SESSIONS = 10_000
HEAD_BYTES = 32 * 1024 * 1024  # of contents that the next write may build on
VALUE_BYTES = 32 * 1024 * 1024


class Permit(Protocol):
    """Why a session's states may be written. The statement of the write itself asks whether it still holds."""

    def attempt(self) -> int | None:
        """The attempt that must run the session; None: nobody may. Raises if it is known not to hold any more."""
        ...

    def refusal(self) -> Exception:
        """What to raise: another attempt runs the session, or none does, or, without one, somebody does."""
        ...

    def obey(self, control: str) -> None:
        """Something was written; `control` is what a person wants of the session."""
        ...


class Write(NamedTuple):
    """A kind of write: the statement behind a fence, and the one without."""

    fenced: Statement
    free: Statement


STATE = Write(sql.FENCED_PUT, sql.PUT)
WRITES = Write(sql.FENCED_PUT_WRITES, sql.PUT_WRITES)


class StateStore:
    """Reads and writes of states on Django's connection of the calling thread.

    Nothing is remembered of a transaction before it commits, except values: what has a hash never changes.
    """

    def __init__(self, fence: Fence | None, ensure_thread: EnsureThread | None, vault: Vault) -> None:
        """See `QueenrightSaver`."""
        self.vault = vault
        self._fence = fence
        self._ensure_thread = ensure_thread
        self._spaces: BoundedCache[UUID, tuple[int, UUID]] = BoundedCache(KNOWN_SESSIONS)
        self._heads: BoundedCache[tuple[UUID, int, str, str], Head] = BoundedCache(HEAD_BYTES, _weight)
        self._newest: BoundedCache[tuple[UUID, str], tuple[int, str]] = BoundedCache(KNOWN_SESSIONS)
        self._values: BoundedCache[bytes, Encoded] = BoundedCache(VALUE_BYTES, lambda value: value.weight)

    @property
    def is_fenced(self) -> bool:
        """Whether each write needs a permit."""
        return self._fence is not None

    def fetch(self, statement: Statement | str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """All rows of a statement."""
        if isinstance(statement, Statement):
            return borrowing(lambda opened: statement.rows(opened, parameters))
        return borrowing(lambda opened: _fetched(opened, statement, parameters))

    def write(self, config: RunnableConfig, kind: Write, plan: Plan, remember: Callable[[int], None]) -> None:
        """Run a statement planned under the space's epoch; plan it again if the epoch moved meanwhile.

        `plan` takes the epoch, and whether something may have been deleted that was stored before; `remember`
        takes the epoch after the commit. Raises UnknownThread, ThreadMoved, SpaceBusy, and what the permit raises.
        """
        session, thread = session_of(config["configurable"]["thread_id"])
        permit = self._fence(config) if self._fence is not None else None
        statement = kind.free if permit is None else kind.fenced
        refused: int | None = None
        for _ in range(TRIES):
            epoch, space = self.space(session, thread)
            if epoch == refused:  # so that was not why
                raise ThreadMoved if permit is None else permit.refusal()
            parameters = {**plan(epoch, refused is not None), "session": session, "space": space, "epoch": epoch}
            if permit is not None:
                parameters["attempt"] = permit.attempt()
            try:
                rows = self._written(statement, parameters)
            except IntegrityError as error:
                if not isinstance(error.__cause__, UniqueViolation):
                    raise
                continue  # another writer of this thread was first: now comes after it
            if rows:
                after_commit(lambda: remember(epoch))  # noqa: B023  # the loop ends here
                if permit is not None:
                    permit.obey(rows[0][0])
                return
            self._spaces.drop(session)
            refused = epoch
        raise SpaceBusy

    def _written(self, statement: Statement, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """What a write gives; in a caller's transaction it has a savepoint of its own."""
        if connection.in_atomic_block:
            with transaction.atomic():
                return self.fetch(statement, parameters)
        return self.fetch(statement, parameters)

    def space(self, session: UUID, thread: str | None) -> tuple[int, UUID]:
        """Epoch and id of a session's space; makes the session if it may. Raises UnknownThread."""
        known = self._spaces.get(session)
        if known is not None:
            return known
        rows = self.fetch(sql.EPOCH, {"session": session})
        if not rows and self._ensure_thread is not None:
            with scoped():
                self._ensure_thread(session, thread)
            rows = self.fetch(sql.EPOCH, {"session": session})
        if not rows:
            raise UnknownThread(session_id=str(session), thread_id=thread)
        epoch, space = rows[0]
        self._spaces.put(session, (epoch, space))
        return epoch, space

    def head(self, session: UUID, epoch: int, ns: str, checkpoint: str) -> Head:
        """What a checkpoint holds; nothing if there is no such checkpoint, or none that can be built on."""
        known = self._heads.get((session, epoch, ns, checkpoint))
        if known is not None:
            return known
        row = self.row(sql.GET_EXACT, {"session": session, "ns": ns, "id": checkpoint})
        try:
            return StoredState.of(row, self.vault).head if row else {}
        except StateDamaged:
            return {}

    def remember_head(self, session: UUID, epoch: int, ns: str, checkpoint: str, head: Head) -> None:
        """Keep what a committed checkpoint holds for the next read of it, and the next write on top of it."""
        self._heads.put((session, epoch, ns, checkpoint), head)
        self._newest.put((session, ns), (epoch, checkpoint))

    def remember_values(self, values: Mapping[bytes, Encoded]) -> None:
        """Keep values that were written for the next read of them."""
        self._values.put_many(values.items())

    def known(self, session: UUID, ns: str) -> Known | None:
        """The checkpoint of the thread that was read or written last, if it is still known what it holds."""
        newest = self._newest.get((session, ns))
        if newest is None:
            return None
        epoch, checkpoint = newest
        head = self._heads.get((session, epoch, ns, checkpoint))
        return None if head is None else Known(UUID(checkpoint), epoch, head)

    def versions(self, session: UUID, ns: str, versions: Mapping[str, str]) -> Head:
        """What is held by those of these channel versions that are stored."""
        named = orjson.dumps(versions).decode()
        rows = self.fetch(sql.VERSIONS, {"session": session, "ns": ns, "versions": named})
        head: Head = {}
        for (row,) in rows:
            version = VersionRow(*row)
            head[version.channel] = version.held(self.vault)
        return head

    def row(self, statement: Statement, names: Mapping[str, Any], known: Known | None = None) -> StateRow | None:
        """The one state that a statement finds; without its versions if it is the `known` one."""
        told = {"known": known.checkpoint, "known_epoch": known.epoch} if known is not None else sql.NOTHING_KNOWN
        rows = self.fetch(statement, {**names, **told})
        if not rows:
            return None
        row = StateRow(*rows[0])
        if row.checkpoint_id is None:  # a session that has no state yet
            self._spaces.put(row.session_id, (row.epoch, row.space_id))
            return None
        return row

    def remember(self, state: StoredState) -> None:
        """Keep what a sound checkpoint holds for the next write on top of it."""
        row = state.row
        self._spaces.put(row.session_id, (row.epoch, row.space_id))
        key = row.session_id, row.epoch, row.checkpoint_ns, str(row.checkpoint_id)
        after_commit(lambda: self.remember_head(*key, state.head))

    def values(self, contents: Iterable[Content], spaces: Iterable[UUID]) -> Values:
        """The values that these name, as far as they are there and what their hash says."""
        wanted = needed(contents)
        found = self._values.get_many(wanted)
        for space in spaces:
            missing = wanted - found.keys()
            if missing:
                read = self._read(space, missing)
                self._values.put_many(read.items())
                found.update(read)
        return found

    def _read(self, space: UUID, wanted: Iterable[bytes]) -> dict[bytes, Encoded]:
        read: dict[bytes, Encoded] = {}
        for value_hash, kind, data in self.fetch(sql.VALUES, {"space": space, "hashes": list(wanted)}):
            encoded = self.sound(value_hash, kind, data)
            if encoded is not None:
                read[value_hash] = encoded
        return read

    def sound(self, value_hash: bytes, kind: str, data: bytes) -> Encoded | None:
        """A stored value, if it is what its hash says. Raises StateKeyMissing."""
        try:
            encoded = self.vault.opened(kind, data)
        except StateDamaged:
            return None
        return encoded if encoded.hash == value_hash else None

    def is_unmoved(self, session: UUID, epoch: int, space: UUID) -> bool:
        """Whether nothing was deleted in the session's space since that epoch."""
        return self.fetch(sql.EPOCH, {"session": session}) == [(epoch, space)]


def _weight(head: Head) -> int:
    """About how many bytes are kept of it."""
    return 200 + sum([held.weight for held in head.values()])


def _fetched(opened: Connection[Any], statement: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    with Cursor(opened) as cursor:
        return cursor.execute(statement, parameters, prepare=True, binary=True).fetchall()
