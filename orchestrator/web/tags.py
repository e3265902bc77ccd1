"""Template tags: icons, where things stand, times. Loaded into every template."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from agents.ids import new_id
from agents.lifecycle import ApprovalStatus, Control, ExecutionStatus, Risk, SessionStatus
from agents.models import AgentSession, Approval, ToolExecution
from agents.selectors.missions import AgentRow
from agents.selectors.reuse import tasks_in
from agents.selectors.standing import Standing, standing
from memory.search import MemoryHit
from orchestrator.web import drawing, edit_words, markdown, rewind_words, rule_words, state_values, words

register = template.Library()

FILTERS: dict[str, Callable[[Any], Any]] = {
    "spelled": words.spelled,
    "tasks_in": tasks_in,
    "amount": words.amount,
    "dollars": words.dollars,
    "size": words.size,
    "human_words": words.human,
    "progress_words": words.progress,
    "verdict_words": words.verdict,
    "at_deadline": words.at_deadline,
    "assigned": words.assigned,
    "is_fixed": words.is_fixed,
    "is_claimed": words.is_claimed,
    "only_edited": words.only_edited,
    "as_text": words.as_text,
    "edits": words.edits,
    "edit_words": edit_words.edits,
    "value_words": rule_words.value_words,
    "subject": words.subject,
    "markdown": markdown.render,
    "preview": state_values.preview,
    "rewind_icon": rewind_words.icon,
    "rewind_details": rewind_words.details,
}
for name, function in FILTERS.items():
    register.filter(name, function)

_GAP = 0.6  # percent between two parts of a bar
_ENDING = 5  # letters that a word has beyond its stem
_LONGEST_JSON = 4000  # characters
_BARS = {Risk.LOW: 1, Risk.MEDIUM: 2, Risk.HIGH: 3}
_TONES = {
    ApprovalStatus.PENDING: "human",
    ApprovalStatus.APPROVED: "done",
    ApprovalStatus.REJECTED: "failed",
    ApprovalStatus.ANSWERED: "done",
    ApprovalStatus.WITHDRAWN: "cancelled",
}


@cache
def _sprite() -> str:
    return static("icons.svg")


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """An icon of the sprite; said by the words beside it, so hidden from screen readers."""
    return format_html(
        '<svg class="i{}" aria-hidden="true"><use href="{}#i-{}"/></svg>',
        f" {classes}" if classes else "",
        _sprite(),
        name,
    )


@register.simple_tag
def level(name: str) -> SafeString:
    """The hexagon of a level."""
    return format_html('<svg class="lv" aria-hidden="true"><use href="{}#l-{}"/></svg>', _sprite(), name)


@register.simple_tag
def stand(group: str, word: str = "", shape: str = "st") -> SafeString:
    """Where something stands: icon, word and colour. `shape` is st (plain) or pill."""
    turning = "i-running" if group == Standing.RUNNING else ""
    said = word or words.STANDINGS[Standing(group)]
    return format_html('<span class="{}" data-s="{}">{}{}</span>', shape, group, icon(group, turning), said)


@register.simple_tag
def stands(session: AgentSession, shape: str = "st") -> SafeString:
    """Where an agent stands, or that it is about to rest or stop."""
    is_asked = session.status == SessionStatus.RUNNING and session.control
    word = words.STOPPING[Control(session.control)] if is_asked else ""
    return stand(standing(session), word, shape)


@register.simple_tag(name="new_id")
def fresh_id() -> str:
    """An id for a form, so that it counts once however often it is sent."""
    return str(new_id())


@register.filter
def group(session: AgentSession) -> str:
    """Where a session stands."""
    return standing(session).value


@register.filter
def tone(approval: Approval) -> str:
    """The colour and icon of a decision."""
    return _TONES[ApprovalStatus(approval.status)]


_EXECUTIONS = {
    ExecutionStatus.PENDING: Standing.WAITING,
    ExecutionStatus.RUNNING: Standing.RUNNING,
    ExecutionStatus.COMPLETED: Standing.DONE,
    ExecutionStatus.FAILED: Standing.FAILED,
    ExecutionStatus.REFUSED: Standing.CANCELLED,
}


@register.filter
def execution_group(execution: ToolExecution) -> str:
    """Where a tool call stands."""
    return _EXECUTIONS[ExecutionStatus(execution.status)].value


@register.simple_tag
def risk(name: str) -> SafeString:
    """A risk as three bars and words."""
    bars = [
        format_html(
            '<rect{} x="{}" y="{}" width="4" height="{}" rx="1"/>',
            SafeString(' class="on"') if step < _BARS[Risk(name)] else "",
            5 * step,
            8 - 4 * step,
            4 + 4 * step,
        )
        for step in range(len(_BARS))
    ]
    return format_html(
        '<span class="risk" data-r="{}"><svg viewBox="0 0 14 12" aria-hidden="true">{}{}{}</svg>{} risk</span>',
        name,
        *bars,
        name.capitalize(),
    )


@register.simple_tag
def lane(row: AgentRow, axis: drawing.Axis) -> SafeString:
    """One agent's time."""
    return drawing.lane(row, axis)


@register.simple_tag
def clock(at: datetime | None, precision: str = "m") -> SafeString | str:
    """A time of day; the page's script puts it into the reader's own time zone. `precision` is m or s."""
    if at is None:
        return ""
    text = at.strftime("%H:%M:%S" if precision == "s" else "%H:%M")
    return format_html('<time datetime="{}" data-clock="{}">{}</time>', at.isoformat(), precision, text)


@register.simple_tag
def ago(at: datetime | None) -> SafeString | str:
    """How long ago, in words, kept up to date by the page's script."""
    if at is None:
        return ""
    passed = words.in_words((timezone.now() - at).total_seconds())
    return format_html('<time datetime="{}" data-ago>{}</time>', at.isoformat(), passed)


@register.simple_tag
def left(until: datetime | None) -> SafeString | str:
    """How much time is left, as 04:51, kept up to date by the page's script."""
    if until is None:
        return ""
    text = words.as_clock(math.ceil(max(0.0, (until - timezone.now()).total_seconds())))
    return format_html('<time datetime="{}" data-left>{}</time>', until.isoformat(), text)


@register.simple_tag
def elapsed(start: datetime | None, end: datetime | None = None) -> SafeString | str:
    """Time that passed, as 04:51; it goes on while there is no end."""
    if start is None:
        return ""
    text = words.as_clock(((end or timezone.now()) - start).total_seconds())
    return text if end else format_html('<time datetime="{}" data-since>{}</time>', start.isoformat(), text)


@register.filter
def quoted(text: str, quote: str) -> SafeString:
    """A text with the words of a quote marked, where they stand in it whatever their spacing is."""
    words_ = quote.split()
    return _marked(text, r"\s+".join(map(re.escape, words_))) if words_ else format_html("{}", text)


@register.filter
def marked(text: str, stems: Sequence[str]) -> SafeString:
    """A text with the words marked that begin with a stem and go on for an ending's length at most."""
    if not stems:
        return format_html("{}", text)
    # English stems end in i where the word ends in y.
    starts = "|".join(sorted((re.escape(re.sub(r"(?<=..)i$", "", stem)) for stem in stems), key=len, reverse=True))
    return _marked(text, rf"\b(?:{starts})\w{{0,{_ENDING}}}\b")


def _marked(text: str, pattern: str) -> SafeString:
    pieces, at = [], 0
    for match in re.finditer(pattern, text, re.IGNORECASE):
        pieces.append((text[at : match.start()], match.group()))
        at = match.end()
    return format_html("{}{}", format_html_join("", "{}<mark>{}</mark>", pieces), text[at:])


@register.filter
def pretty(value: Any) -> str:
    """JSON to read."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return text if len(text) <= _LONGEST_JSON else f"{text[:_LONGEST_JSON]}\n… {len(text)} characters"


@register.filter
def value_of(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The value of a key; 0 where there is none."""
    return mapping.get(key, 0)


@register.simple_tag(takes_context=True)
def without(context: Any, name: str) -> str:
    """This page's query without a parameter."""
    return with_query(context, **{name: None})


@register.simple_tag
def score_bar(hit: MemoryHit) -> SafeString:
    """The parts of a memory's score, side by side."""
    parts = {"meaning": hit.meaning, "words": hit.words, "recency": hit.recency, "importance": hit.importance}
    bars, at = [], 0.0
    for name, share in parts.items():
        bars.append((name[0], f"{at:.1f}%", f"{max(100 * share - _GAP, 0):.1f}%"))
        at += 100 * share
    return format_html(
        '<svg class="bar" role="img" aria-label="{}">{}</svg>',
        ", ".join(f"{name} {share:.2f}" for name, share in parts.items()),
        format_html_join("", '<rect class="p-{}" x="{}" width="{}" height="100%"/>', bars),
    )


@register.filter
def plus(one: float, other: float) -> float:
    """A sum."""
    return one + other


@register.filter
def percent(part: float, whole: float) -> str:
    """A share as an SVG length."""
    return f"{100 * part / whole:.2f}%" if whole else "0%"


@register.simple_tag(takes_context=True)
def with_query(context: Any, **changes: Any) -> str:
    """This page's query with some parameters set; None or empty takes one away."""
    query = context["request"].GET.copy()
    query.pop("r", None)
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"
