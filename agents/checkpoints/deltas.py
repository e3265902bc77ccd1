"""What delta channels are rebuilt from: an ancestor's stored value, and the writes that followed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from langgraph.checkpoint.base import DeltaChannelHistory

from agents.checkpoints import sql
from agents.checkpoints.contents import Content, Values
from agents.checkpoints.reading import VersionRow, content_of

if TYPE_CHECKING:
    from uuid import UUID

    from langgraph.checkpoint.serde.base import SerializerProtocol

    from agents.checkpoints.encryption import Vault

# From a state towards its root, for as long as a channel is sought: until a state that holds it.
_LINEAGE = f"""
WITH RECURSIVE lineage AS (
    (SELECT 0 AS distance, checkpoint_id, parent_id, state_data,
            %(channels)s::text[] AS sought, '{{{{}}}}'::text[] AS found
     FROM agent_states WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND {{exact}})
  UNION ALL
    SELECT distance + 1, parent.checkpoint_id, parent.parent_id, parent.state_data, still.sought,
           ARRAY(SELECT wanted.name FROM unnest(still.sought) wanted(name)
                 WHERE parent.state_data -> 'channel_values' ? wanted.name
                    OR EXISTS (SELECT FROM agent_channel_versions version
                               WHERE version.session_id = %(session)s AND version.checkpoint_ns = %(ns)s
                                 AND version.channel = wanted.name
                                 AND version.version = parent.state_data -> 'channel_versions' ->> wanted.name))
    FROM lineage
    JOIN agent_states parent
      ON parent.session_id = %(session)s AND parent.checkpoint_ns = %(ns)s AND parent.checkpoint_id = lineage.parent_id
    CROSS JOIN LATERAL (SELECT ARRAY(SELECT unnest(lineage.sought) EXCEPT SELECT unnest(lineage.found)) AS sought) still
    WHERE cardinality(still.sought) > 0
)
SELECT found, (state_data -> 'channel_values')::text,
       (SELECT array_agg({sql.VERSION}) FROM agent_channel_versions version {sql.BASES}
        WHERE version.session_id = %(session)s AND version.checkpoint_ns = %(ns)s AND version.channel = ANY(found)
          AND version.version = state_data -> 'channel_versions' ->> version.channel),
       (SELECT array_agg({sql.WRITE} {sql.WRITE_ORDER}) FROM agent_state_writes write
        WHERE write.session_id = %(session)s AND write.checkpoint_ns = %(ns)s
          AND write.checkpoint_id = lineage.checkpoint_id AND write.channel = ANY(sought)),
       space.epoch, space.space_id
FROM lineage, agent_sessions session JOIN agent_value_spaces space USING (space_id)
WHERE session.session_id = %(session)s AND distance > 0
ORDER BY distance DESC
"""  # noqa: S608  # joined to constants
LINEAGE_OF_LATEST = _LINEAGE.format(exact=f"state_id = {sql.LATEST}")
LINEAGE_OF_EXACT = _LINEAGE.format(exact="checkpoint_id = %(id)s")


class Ancestor(NamedTuple):
    """A row of the statement: what a state holds, and what was written on top of it, of the channels sought."""

    found: list[str]
    scalars: str
    versions: list[tuple[Any, ...]] | None
    writes: list[tuple[Any, ...]] | None
    epoch: int
    space_id: UUID


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """The history of delta channels as it is stored, its values still to come."""

    ancestors: Sequence[Ancestor]
    seeds: dict[str, Content]
    writes: list[tuple[str, str, Content]]

    @classmethod
    def of(cls, ancestors: Sequence[Ancestor], vault: Vault) -> StoredHistory:
        """From rows, the oldest first."""
        return cls(
            ancestors,
            {version[0]: VersionRow(*version).parts(vault)[0] for one in ancestors for version in one.versions or ()},
            [(write[0], write[1], content_of(vault, *write[2:])) for one in ancestors for write in one.writes or ()],
        )

    @property
    def contents(self) -> list[Content]:
        """All that is held."""
        return [*self.seeds.values(), *(content for _, _, content in self.writes)]

    def build(
        self, channels: Sequence[str], serde: SerializerProtocol, values: Values
    ) -> dict[str, DeltaChannelHistory]:
        """LangGraph's histories. Raises StateDamaged if a value is missing."""
        histories: dict[str, DeltaChannelHistory] = {channel: {"writes": []} for channel in channels}
        for one in self.ancestors:
            scalars: dict[str, Any] = orjson.loads(one.scalars)
            for channel in one.found:
                if channel in scalars:
                    histories[channel]["seed"] = scalars[channel]
        for channel, content in self.seeds.items():
            histories[channel].setdefault("seed", content.value(serde, values))
        for task, channel, content in self.writes:
            histories[channel]["writes"].append((task, channel, content.value(serde, values)))
        return histories
