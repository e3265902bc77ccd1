"""The history of threads, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import get_checkpoint_id

from agents.checkpoints import sql
from agents.checkpoints.threads import canonical_uuid, session_of
from agents.storable import jsonb_text

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from agents.checkpoints.reading import StateRow

PAGE = 50  # checkpoints that are read at once
_FOLLOWING = """(state.checkpoint_id, state.session_id, state.checkpoint_ns)
    < (%(last_id)s, %(last_session)s, %(last_ns)s)"""


@dataclass(frozen=True, slots=True)
class Listing:
    """A question for checkpoints, newest first, and how many of them are still wanted."""

    conditions: tuple[str, ...]
    parameters: Mapping[str, Any]
    wanted: int | None
    is_exact: bool = False  # one checkpoint of each namespace at most

    @classmethod
    def of(
        cls,
        config: RunnableConfig | None,
        metadata: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Listing:
        """From the arguments of LangGraph's `list`."""
        listing = cls(("true",), sql.NOTHING_KNOWN, limit)
        if config is not None:
            names = config["configurable"]
            listing = listing.also("state.session_id = %(session)s", session=session_of(names["thread_id"])[0])
            if names.get("checkpoint_ns") is not None:
                listing = listing.also("state.checkpoint_ns = %(ns)s", ns=names["checkpoint_ns"])
            if exact := get_checkpoint_id(config):
                listing = listing.also("state.checkpoint_id = %(id)s", id=canonical_uuid(exact))
                listing = replace(listing, is_exact=True)
        if before is not None and (stop := get_checkpoint_id(before)):
            listing = listing.also("state.checkpoint_id < %(before)s", before=canonical_uuid(stop))
        for n, (key, value) in enumerate((metadata or {}).items()):
            listing = listing.also(
                f"coalesce(state.metadata -> %(key{n})s::text, 'null') = %(value{n})s::jsonb",
                **{f"key{n}": key, f"value{n}": jsonb_text(value)},
            )
        return listing

    def also(self, condition: str, **parameters: object) -> Listing:
        """The same question with one more condition."""
        return replace(self, conditions=(*self.conditions, condition), parameters={**self.parameters, **parameters})

    @property
    def size(self) -> int:
        """How many checkpoints the next page holds at most."""
        return PAGE if self.wanted is None else max(0, min(PAGE, self.wanted))

    @property
    def statement(self) -> str:
        """Reads the next page."""
        following = (_FOLLOWING,) if "last_id" in self.parameters else ()
        return sql.LIST.format(conditions=" AND ".join(self.conditions + following), size=self.size)

    def after(self, rows: Sequence[StateRow], given: int) -> Listing | None:
        """What is still asked for once these rows were read and so many given; None if nothing."""
        left = None if self.wanted is None else self.wanted - given
        if len(rows) < self.size or (left is not None and left <= 0):
            return None
        last = rows[-1]
        place = {"last_id": last.checkpoint_id, "last_session": last.session_id, "last_ns": last.checkpoint_ns}
        return replace(self, parameters={**self.parameters, **place}, wanted=left)
