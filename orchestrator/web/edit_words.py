"""What was edited in a request, a line each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from agents.models import Approval
from agents.schemas import secrets
from orchestrator.web.words import as_text

MOST = 4  # that are told one by one
LONGEST = 60  # characters
_BEFORE = 12  # characters before the first that differs
_HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Edit:
    """One argument as it was proposed and as it took effect; empty: it was not there."""

    name: str
    before: str
    after: str


def edits(approval: Approval) -> list[Edit]:
    """The arguments that a decision changed, by name, and the tool if that was another; secrets are not told."""
    found = [Edit("tool", approval.tool_name, approval.effective_tool)] if approval.effective_tool else []
    return found + list(_changed(approval))


def _changed(approval: Approval) -> Iterator[Edit]:
    if not isinstance(approval.edited, dict):
        return
    hidden = secrets(approval.schema)
    for name in sorted({**approval.proposed, **approval.edited}):
        before, after = (_text(one, name) for one in (approval.proposed, approval.edited))
        if before != after:
            yield Edit(name, _HIDDEN, _HIDDEN) if name in hidden else Edit(name, *_from_first(before, after))


def _text(arguments: dict[str, Any], name: str) -> str:
    return as_text(arguments[name]) if name in arguments else ""


def _from_first(before: str, after: str) -> tuple[str, str]:
    """Both from a little before the first character that differs, and short."""
    if len(before) <= LONGEST and len(after) <= LONGEST:
        return before, after
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    start = max(same - _BEFORE, 0)
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    ends = "…" if len(text) > start + LONGEST else ""
    return f"{'…' if start and text else ''}{text[start : start + LONGEST]}{ends}"
