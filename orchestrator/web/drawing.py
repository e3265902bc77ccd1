"""Lanes as SVG with percent coordinates: they stretch without distortion and need no style attribute."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from agents.selectors.lanes import Span
from agents.selectors.missions import AgentRow, Tree
from agents.selectors.standing import Standing
from orchestrator.web.words import as_clock, in_words

# Lengths of an axis in seconds: a little longer than the mission, so that bars keep their scale while time goes on.
_STEPS = (15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 960, 1440, 1920, 2700, 3600, 5400, 7200)
_MARKS = 4
_PATTERNS = {Standing.WAITING: "wait", Standing.HUMAN: "human", Standing.PAUSED: "pause"}
_LEAST = 0.4  # percent: a bar is never too thin to be seen


@dataclass(frozen=True, slots=True)
class Mark:
    """A time on the axis, counted from its start."""

    x: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that all lanes of a mission share, in seconds from `start`."""

    start: datetime
    length: int
    end: datetime | None

    @classmethod
    def of(cls, tree: Tree) -> "Axis":
        """The axis of a mission: exact once it has ended, with room to grow before."""
        passed = ((tree.end or timezone.now()) - tree.start).total_seconds()
        if tree.end:
            return cls(tree.start, max(1, round(passed)), tree.end)
        hours = 3600 * (int(passed // 3600) + 1)
        return cls(tree.start, next((step for step in _STEPS if step > passed), hours), None)

    @property
    def is_open(self) -> bool:
        """Does time go on?"""
        return self.end is None

    def x(self, at: datetime) -> float:
        """Where a time lies, in percent."""
        return min(max(100 * (at - self.start).total_seconds() / self.length, 0.0), 100.0)

    @property
    def here(self) -> float:
        """Where now lies, in percent."""
        return self.x(self.end or timezone.now())

    @property
    def marks(self) -> Iterator[Mark]:
        """Evenly spread times."""
        for number in range(_MARKS):
            share = number / (_MARKS - 1)
            anchor = "start" if number == 0 else "end" if number == _MARKS - 1 else "middle"
            yield Mark(f"{100 * share:.2f}%", anchor, as_clock(self.length * share))


def lane(row: AgentRow, axis: Axis) -> SafeString:
    """One agent's time: work solid, waits thin and hatched, checkpoints as ticks."""
    is_done = row.standing is Standing.DONE
    bars = format_html_join("", "{}", ((_bar(span, axis, is_done),) for span in row.lane.spans))
    ticks = format_html_join(
        "",
        '<line class="tick" x1="{0}" x2="{0}" y1="3" y2="17"/>',
        ((f"{axis.x(at):.2f}%",) for at in row.lane.ticks if _works(row, at)),
    )
    now = (
        format_html('<line class="nowline" x1="{0}" x2="{0}" y1="-16" y2="36"/>', f"{axis.here:.2f}%")
        if axis.is_open
        else ""
    )
    return format_html(
        '<svg class="lane" role="img" aria-label="{}">'
        '<line class="base" x1="0" x2="100%" y1="10" y2="10"/>{}{}{}</svg>',
        _words(row),
        bars,
        ticks,
        now,
    )


def _works(row: AgentRow, at: datetime) -> bool:
    return any(
        span.standing is Standing.RUNNING and span.start < at and (span.end is None or at < span.end)
        for span in row.lane.spans
    )


def _bar(span: Span, axis: Axis, is_done: bool) -> SafeString:
    x = axis.x(span.start)
    width = max(axis.x(span.end or axis.end or timezone.now()) - x, _LEAST)
    x = min(x, 100 - width)
    grows = SafeString(" data-grows") if span.end is None and axis.is_open else ""
    place = (f"{x:.2f}%", f"{width:.2f}%", grows)
    if span.standing is Standing.RUNNING:
        colour = "c-fail" if span.failed else "c-done" if is_done else "c-run"
        return format_html('<rect class="{}" y="3" height="14" x="{}" width="{}"{}/>', colour, *place)
    if pattern := _PATTERNS.get(span.standing):
        return format_html(
            '<rect class="w-fill o-{0}" y="6.5" height="7" fill="url(#hatch-{0})" x="{1}" width="{2}"{3}/>',
            pattern,
            *place,
        )
    return format_html('<rect class="w-out o-queue" y="6.5" height="7" x="{}" width="{}"{}/>', *place)


def _words(row: AgentRow) -> str:
    times = {
        "Worked": _total(row, {Standing.RUNNING}),
        "waited for agents": _total(row, {Standing.WAITING}),
        "waited for a person": _total(row, {Standing.HUMAN}),
        "was paused": _total(row, {Standing.PAUSED}),
        "was queued": _total(row, {Standing.QUEUED}),
    }
    told = [f"{word} {in_words(seconds)}" for word, seconds in times.items() if seconds >= 1 or word == "Worked"]
    return ", ".join(told)


def _total(row: AgentRow, groups: set[Standing]) -> float:
    now = timezone.now()
    return sum(((s.end or now) - s.start).total_seconds() for s in row.lane.spans if s.standing in groups)
