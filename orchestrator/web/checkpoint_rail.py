"""The checkpoints of an agent as a drawing of their branches. All places are attributes: no style is needed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from agents.selectors.sessions import Checkpoint

_TOP = 28  # pixels
_BETWEEN = 36
_BELOW = 36
_MOST_LANES = 6  # beyond it branches share a lane where only their stems would meet
_RADIUS = ((60, 4.5), (150, 3.0), (400, 2.0))  # of a dot, up to so many checkpoints
_LONGEST_NAME = 24  # characters on the drawing
_NEAR = 14.0  # percent: labels of dots nearer than this would meet


@dataclass(slots=True)
class Branch:
    """Checkpoints that follow each other. `stem` is the one that it left, on another branch."""

    stem: Checkpoint | None
    own: list[Checkpoint] = field(default_factory=list)
    lane: int = 0

    @property
    def start(self) -> int:
        """The first number whose place it needs."""
        return self.own[0].number if self.stem is None else self.stem.number

    @property
    def tip(self) -> Checkpoint:
        """Its last checkpoint."""
        return self.own[-1]


def branches(listed: Sequence[Checkpoint]) -> list[Branch]:
    """The branches of checkpoints, oldest first, each in a lane of its own as long as it lasts."""
    found: list[Branch] = []
    by_id = {one.checkpoint_id: one for one in listed}
    of: dict[UUID, Branch] = {}
    for one in listed:
        parent = by_id.get(one.parent_id) if one.parent_id else None
        branch = of.get(parent.checkpoint_id) if parent else None
        if branch is None or branch.tip is not parent:
            branch = Branch(parent)
            found.append(branch)
        branch.own.append(one)
        of[one.checkpoint_id] = branch
    for number, branch in enumerate(found):
        branch.lane = _free_lane(branch, found[:number])
    return found


def _free_lane(branch: Branch, earlier: Sequence[Branch]) -> int:
    for begins in (branch.start, branch.own[0].number):
        taken = {one.lane for one in earlier if one.start <= branch.tip.number and begins <= one.tip.number}
        lane = next(lane for lane in range(len(taken) + 1) if lane not in taken)
        if lane < _MOST_LANES:
            return lane
    return _MOST_LANES - 1


@dataclass(frozen=True, slots=True)
class Rail:
    """What is drawn: all checkpoints, the one that is looked at, the one that it is compared with."""

    listed: Sequence[Checkpoint]
    selected: Checkpoint
    compared: Checkpoint | None = None
    is_asking: bool = False  # the current one waits for a person

    def draw(self) -> SafeString:
        """The drawing."""
        found = branches(self.listed)
        chain = self._chain()
        lanes = {one.checkpoint_id: branch.lane for branch in found for one in branch.own}
        return format_html(
            '<svg class="rail-map" role="img" data-rail height="{}" aria-label="{}">{}{}{}</svg>',
            _TOP + _BETWEEN * max(lanes.values()) + _BELOW,
            self._words(len(found)),
            format_html_join("", "{}", ((self._lines(branch, lanes, chain),) for branch in found)),
            format_html_join("", "{}", ((self._dot(one, lanes, chain),) for one in self.listed)),
            self._marks(lanes),
        )

    def _chain(self) -> set[UUID]:
        """The current checkpoint and all that it came from."""
        by_id = {one.checkpoint_id: one for one in self.listed}
        at = next((one for one in self.listed if one.is_current), None)
        chain: set[UUID] = set()
        while at is not None and at.checkpoint_id not in chain:
            chain.add(at.checkpoint_id)
            at = by_id.get(at.parent_id) if at.parent_id else None
        return chain

    def _share(self, number: int) -> float:
        return 100 * number / max(len(self.listed) - 1, 1)

    def _x(self, number: int) -> str:
        return f"{self._share(number):.2f}%"

    def _lines(self, branch: Branch, lanes: dict[UUID, int], chain: set[UUID]) -> SafeString:
        here = _y(branch.lane)
        kept = [one for one in branch.own if one.checkpoint_id in chain]
        points: list[tuple[int, int, int, int, bool]] = []
        if branch.stem is not None:
            stem, bend = branch.stem.number, min(branch.stem.number + 1, branch.own[0].number)
            points.append((stem, _y(lanes[branch.stem.checkpoint_id]), bend, here, bool(kept)))
            points.append((bend, here, branch.own[0].number, here, bool(kept)))
        turn = kept[-1].number if kept else branch.own[0].number
        points.append((branch.own[0].number, here, turn, here, True))
        points.append((turn, here, branch.tip.number, here, False))
        return format_html_join(
            "",
            '<line class="ln{}" x1="{}" y1="{}" x2="{}" y2="{}"/>',
            (
                (SafeString(" cur") if is_kept else "", self._x(x1), y1, self._x(x2), y2)
                for x1, y1, x2, y2, is_kept in points
                if x1 != x2
            ),
        )

    def _dot(self, one: Checkpoint, lanes: dict[UUID, int], chain: set[UUID]) -> SafeString:
        kinds = {
            "cur": one.checkpoint_id in chain,
            "named": bool(one.name),
            "bad": one.damaged_at is not None,
            "full": one.is_current and not self.is_asking,
            "hum": one.is_current and self.is_asking,
        }
        radius = next((radius for most, radius in _RADIUS if len(self.listed) <= most), 1.5)
        return format_html(
            '<circle class="d{}" cx="{}" cy="{}" r="{}"/>',
            "".join(f" {kind}" for kind, is_so in kinds.items() if is_so),
            self._x(one.number),
            _y(lanes[one.checkpoint_id]),
            max(radius, 4.0) if one.name or one.is_current or one.damaged_at else radius,
        )

    def _marks(self, lanes: dict[UUID, int]) -> SafeString:
        marks = [self._mark("sel", self.selected, lanes, f"{label(self.selected)} · selected", below=True)]
        if self.compared is not None:
            marks.append(self._mark("cmp", self.compared, lanes, label(self.compared), below=False))
        current = next((one for one in self.listed if one.is_current), None)
        told = (self.selected, self.compared)
        if current and all(one is None or abs(self._share(one.number - current.number)) > _NEAR for one in told):
            text = "asks a person" if self.is_asking else "now"
            marks.append(self._label("k", current, lanes, text, below=False))
        return format_html_join("", "{}", ((mark,) for mark in marks))

    def _mark(self, kind: str, one: Checkpoint, lanes: dict[UUID, int], text: str, *, below: bool) -> SafeString:
        return format_html(
            '<circle class="{}" cx="{}" cy="{}" r="9"/>{}',
            kind,
            self._x(one.number),
            _y(lanes[one.checkpoint_id]),
            self._label(f"{kind}-t", one, lanes, text, below=below),
        )

    def _label(self, kind: str, one: Checkpoint, lanes: dict[UUID, int], text: str, *, below: bool) -> SafeString:
        x = self._share(one.number)
        return format_html(
            '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>',
            kind,
            self._x(one.number),
            _y(lanes[one.checkpoint_id]) + (24 if below else -14),
            "start" if x < _NEAR else "end" if x > 100 - _NEAR else "middle",
            text,
        )

    def _words(self, count: int) -> str:
        spread = f" on {count} branches" if count > 1 else ""
        damaged = sum(1 for one in self.listed if one.damaged_at)
        spread += f", {damaged} damaged" if damaged else ""
        told = f"{len(self.listed)} checkpoints{spread}; {self.selected.number} is selected"
        return told if self.compared is None else f"{told}, compared with {self.compared.number}"


def label(one: Checkpoint) -> str:
    """A checkpoint's number and name, short."""
    name = one.name if len(one.name) <= _LONGEST_NAME else f"{one.name[:_LONGEST_NAME]}…"
    return f"{one.number} · {name}" if name else str(one.number)


def _y(lane: int) -> int:
    return _TOP + _BETWEEN * lane
