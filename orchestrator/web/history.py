"""One agent's history as the address of its page names it: a checkpoint, and another to compare it with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from agents.checkpoints.errors import StateDamaged, StateKeyMissing
from agents.checkpoints.threads import config_of
from agents.models import AgentSession
from agents.selectors import sessions, steps
from agents.selectors.sessions import Checkpoint
from agents.selectors.standing import Standing, standing
from agents.selectors.steps import Step
from orchestrator.runtime.saving import saver
from orchestrator.web import state_diff, state_tree
from orchestrator.web.checkpoint_rail import Rail, branches
from orchestrator.web.state_diff import Change, Changes, Kind
from orchestrator.web.state_tree import Path, Row

MOST_CHANGES = 200  # rows of a comparison


@dataclass(frozen=True, slots=True)
class Loaded:
    """A state: its values by channel, and its step. `fault` says why it cannot be shown."""

    values: Mapping[str, Any]
    step: Step | None = None
    fault: str = ""


class History:
    """What a page shows of an agent's checkpoints.

    `at` (an id) or `step` (a number) in the query chooses the one to look at, else it is the latest; `with` (either)
    the one to compare it with, else it is the one before.
    """

    def __init__(self, session: AgentSession, query: Mapping[str, str]) -> None:
        """Reads the list of checkpoints. One query."""
        self.session = session
        self.listed = sessions.checkpoints(session.pk)
        wanted = query.get("at") or query.get("step") or ""
        chosen = self._find(wanted)
        self.is_latest = not wanted
        self.is_gone = bool(wanted) and chosen is None
        self.selected = chosen or self._latest()
        self.chosen_other = self._find(query.get("with") or "")

    def _latest(self) -> Checkpoint | None:
        current = (one for one in self.listed if one.is_current)
        return next(current, self.listed[-1] if self.listed else None)

    def _find(self, wanted: str) -> Checkpoint | None:
        if wanted.isdecimal() and len(wanted) < 10:
            return self.listed[min(int(wanted), len(self.listed) - 1)] if self.listed else None
        return next((one for one in self.listed if str(one.checkpoint_id) == wanted), None)

    @property
    def address(self) -> str:
        """The query that names this view for as long as its checkpoints exist."""
        named = {} if self.is_latest or not self.selected else {"at": str(self.selected.checkpoint_id)}
        if self.chosen_other:
            named["with"] = str(self.chosen_other.checkpoint_id)
        return f"?{urlencode(named)}" if named else ""

    @cached_property
    def parent(self) -> Checkpoint | None:
        """The checkpoint before the selected one."""
        if self.selected is None or self.selected.parent_id is None:
            return None
        return next((one for one in self.listed if one.checkpoint_id == self.selected.parent_id), None)

    @property
    def compared(self) -> Checkpoint | None:
        """The checkpoint that the selected one is compared with."""
        return self.chosen_other or self.parent

    @property
    def current(self) -> Checkpoint | None:
        """The checkpoint that the agent goes on from."""
        return next((one for one in self.listed if one.is_current), None)

    @property
    def last_number(self) -> int:
        """The number of the newest checkpoint."""
        return max(len(self.listed) - 1, 0)

    @property
    def branches(self) -> int:
        """How many branches there are."""
        return len(branches(self.listed))

    @property
    def stored(self) -> int:
        """Bytes that all checkpoints added."""
        return sum(one.size for one in self.listed)

    @property
    def named_before(self) -> Checkpoint | None:
        """The named checkpoint before the selected one."""
        number = self.selected.number if self.selected else 0
        return next((one for one in reversed(self.listed[:number]) if one.name), None)

    @property
    def named_after(self) -> Checkpoint | None:
        """The named checkpoint after the selected one."""
        number = self.selected.number if self.selected else 0
        return next((one for one in self.listed[number + 1 :] if one.name), None)

    @property
    def rail(self) -> str:
        """The drawing of the checkpoints."""
        if self.selected is None:
            return ""
        other = self.compared if self.compared is not self.selected else None
        return Rail(self.listed, self.selected, other, standing(self.session) is Standing.HUMAN).draw()

    @cached_property
    def state(self) -> Loaded:
        """The selected state."""
        return self._load(self.selected)

    @cached_property
    def other(self) -> Loaded:
        """The state that it is compared with."""
        return self._load(self.compared)

    def _load(self, checkpoint: Checkpoint | None) -> Loaded:
        if checkpoint is None:
            return Loaded({})
        thread = self.session.thread_id or str(self.session.pk)
        try:
            found = saver().get_tuple(config_of(thread, "", checkpoint.checkpoint_id))
        except (StateDamaged, StateKeyMissing) as error:
            return Loaded({}, fault=str(error))
        if found is None:  # pruned since the list was read
            return Loaded({}, fault="It was removed a moment ago.")
        values = found.checkpoint["channel_values"]
        shown = {name: values[name] for name in sorted(values) if steps.is_shown(name)}
        return Loaded(shown, steps.step(self.session.pk, found))

    @cached_property
    def changes(self) -> Changes:
        """What differs from the state that it is compared with; nothing where one of them cannot be shown."""
        return Changes(() if self._is_alone else state_diff.compare(self.other.values, self.state.values))

    @property
    def _is_alone(self) -> bool:
        return self.compared is None or bool(self.state.fault or self.other.fault)

    @property
    def change_rows(self) -> list[Change]:
        """The first differences."""
        return self.changes.all[:MOST_CHANGES]

    @property
    def changes_left(self) -> int:
        """How many differences are not listed."""
        return max(len(self.changes.all) - MOST_CHANGES, 0)

    @property
    def change_words(self) -> str:
        """How many differences there are of each kind."""
        counts = ((self.changes.count(kind), kind) for kind in (Kind.CHANGED, Kind.ADDED, Kind.REMOVED))
        return ", ".join(f"{count} {kind}" for count, kind in counts if count) or "no difference"

    @property
    def rows(self) -> list[Row]:
        """The state's rows at first."""
        return _marked(state_tree.rows(self.state.values), self.changes)

    def children(self, path: Path, start: int) -> list[Row]:
        """A page of the rows below one. Raises NotFound."""
        found = state_tree.children(self.state.values, path, start)
        return _marked(found, self._changes_at(path))

    def _changes_at(self, path: Path) -> Changes:
        if self._is_alone:
            return Changes(())
        try:
            old = state_diff.partner(self.other.values, self.state.values, path)
        except LookupError:  # all of it is new, which the row above says
            return Changes(())
        return Changes(state_diff.compare(old, state_tree.value_at(self.state.values, path), path))


def _marked(rows: list[Row], changes: Changes) -> list[Row]:
    return [row if row.more is not None else replace(row, change=changes.told(row.path)) for row in rows]
