"""Checkpoints from the database, and what stands in for damaged ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agents.checkpoints import damage, sql
from agents.checkpoints.contents import needed
from agents.checkpoints.damage import Findings
from agents.checkpoints.errors import SpaceBusy, StateDamaged
from agents.checkpoints.reading import LOST_WRITES, StateRow, StoredState
from agents.checkpoints.store import TRIES

if TYPE_CHECKING:
    from langgraph.checkpoint.base import CheckpointTuple
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from agents.checkpoints.contents import Values
    from agents.checkpoints.damage import OnDamage
    from agents.checkpoints.statements import Statement
    from agents.checkpoints.store import StateStore


class Loader:
    """Reads checkpoints of any thread.

    What is missing because it is being deleted at the same moment is no damage: then it is read again.
    """

    def __init__(self, store: StateStore, on_damage: OnDamage | None) -> None:
        """See `QueenrightSaver`."""
        self._store = store
        self._on_damage = on_damage

    def exact(
        self, serde: SerializerProtocol, session: UUID, ns: str, checkpoint: UUID | None
    ) -> CheckpointTuple | None:
        """This checkpoint, or None. Raises StateDamaged, SpaceBusy."""
        names = {"session": session, "ns": ns, "id": checkpoint}
        return self._one(serde, sql.GET_EXACT, names, may_give_way=False)

    def latest(self, serde: SerializerProtocol, session: UUID, ns: str) -> CheckpointTuple | None:
        """The current checkpoint; a damaged one gives way to the nearest sound one that it came from.

        Raises StateDamaged if there is none, SpaceBusy.
        """
        names = {"session": session, "ns": ns}
        return self._one(serde, sql.GET_LATEST, names, may_give_way=True)

    def _one(
        self, serde: SerializerProtocol, statement: Statement, names: Mapping[str, Any], *, may_give_way: bool
    ) -> CheckpointTuple | None:
        known = self._store.known(names["session"], names["ns"])
        for _ in range(TRIES):
            row = self._store.row(statement, names, known)
            if row is None:
                return None
            try:
                state = StoredState.of(row, self._store.vault, known)
                found = state.build(serde, self._values([state]))
            except StateDamaged:
                is_doubtful = known is not None
                known = None
                if is_doubtful or not self._store.is_unmoved(row.session_id, row.epoch, row.space_id):
                    continue
                stand_in, findings = self._way_back(serde, row, may_give_way=may_give_way)
                if not damage.note(findings, self._store.sound, self._on_damage):
                    continue
                if stand_in is None or not may_give_way:
                    raise
                return stand_in
            self._store.remember(state)
            return found
        raise SpaceBusy

    def page(self, serde: SerializerProtocol, rows: Sequence[StateRow], *, is_exact: bool) -> Sequence[CheckpointTuple]:
        """The sound ones of these checkpoints. Raises StateDamaged for others if the caller named them."""
        try:
            states = [StoredState.of(row, self._store.vault) for row in rows]
            values = self._values(states)
            return [state.build(serde, values) for state in states]
        except StateDamaged:
            found = (self._listed(serde, row, is_exact=is_exact) for row in rows)
            return [one for one in found if one is not None]

    def _listed(self, serde: SerializerProtocol, row: StateRow, *, is_exact: bool) -> CheckpointTuple | None:
        try:
            return self.exact(serde, row.session_id, row.checkpoint_ns, row.checkpoint_id)
        except StateDamaged:  # noted by now
            if is_exact:
                raise
            return None

    def _values(self, states: Iterable[StoredState]) -> Values:
        held = list(states)
        contents = [content for state in held for content in state.contents]
        return self._store.values(contents, {state.row.space_id for state in held})

    def _way_back(
        self, serde: SerializerProtocol, row: StateRow, *, may_give_way: bool
    ) -> tuple[CheckpointTuple | None, Findings]:
        """From a damaged checkpoint to the nearest sound one, perhaps itself, without the tasks that lost writes.

        Only the current one is stood in for.
        """
        damaged: dict[UUID, str] = {}
        suspects: set[bytes] = set()
        at: StateRow | None = row
        while at is not None and at.checkpoint_id not in damaged:
            try:
                state = StoredState.of(at, self._store.vault)
                values = self._values([state])
                suspects |= needed(state.contents) - values.keys()
                stand_in, lost_tasks = state.restore(serde, values)
            except StateDamaged as fault:
                damaged[at.checkpoint_id] = fault.data["reason"]
                at = self._parent(at) if row.is_current else None
            else:
                if lost_tasks:
                    damaged[at.checkpoint_id] = LOST_WRITES
                return stand_in, Findings(row, damaged, suspects, at.checkpoint_id, lost_tasks if may_give_way else ())
        return None, Findings(row, damaged, suspects)

    def _parent(self, row: StateRow) -> StateRow | None:
        names = {"session": row.session_id, "ns": row.checkpoint_ns, "id": row.parent_id}
        return self._store.row(sql.GET_EXACT, names)
