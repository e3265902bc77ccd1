"""All arguments of a request in one text, as JSON, and the tool that is called with them in place of the asked one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.errors import InvalidInput
from agents.interrupts import EDIT, Form
from agents.models import Approval, Vote
from agents.storable import is_same
from orchestrator.actions.json_text import parse_json
from orchestrator.web import arguments, words
from orchestrator.web.typed_form import unified

TEXT = "json"  # names in the form
TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Whole:
    """What stands in the two fields, the arguments that were proposed, and what is wrong."""

    text: str
    tool: str
    proposed: str
    is_touched: bool = False
    error: str = ""

    @property
    def rows(self) -> int:
        """Lines that hold the text, within reason."""
        return min(max(self.text.count("\n") + 1, 4), 20)


@dataclass(frozen=True, slots=True)
class Change:
    """What a person wants in place of what was proposed; nothing where it stays."""

    arguments: Any = None
    tool: str = ""


def shown(approval: Approval, form: Mapping[str, Any], errors: Mapping[str, str]) -> Whole | None:
    """The two fields, with what a person typed into them before; None where a request takes no other arguments."""
    if approval.form == Form.OPEN or EDIT not in approval.allowed:
        return None
    proposed = text_of(approval.proposed)
    text, tool = _typed(form, proposed), str(form.get(TOOL, "")).strip() or approval.tool_name
    is_touched = text != proposed or tool != approval.tool_name
    wrong = [f"{name}: {message}" if name not in ("", TEXT) else message for name, message in errors.items() if message]
    return Whole(text, tool, proposed, is_touched, " ".join(wrong) if is_touched else "")


def read(approval: Approval, form: Mapping[str, Any]) -> Change:
    """What the form means: of its fields, or of the whole text.

    Raises InvalidInput for what cannot be read, and where both were changed: nobody could tell which one counts.
    """
    single = arguments.read(approval, arguments.given_in(approval, form))
    whole = shown(approval, form, {})
    if whole is None:
        return Change(single)
    tool = whole.tool if whole.tool != approval.tool_name else ""
    if whole.text == whole.proposed:
        return Change(single, tool)
    if single is not None:
        raise InvalidInput(fields={TEXT: "Fields were changed, too. Restore either them or this."})
    return Change(_object(whole.text), tool)


def text_of(value: Any) -> str:
    """As it stands in the field."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def agreed(approval: Approval, vote: Vote) -> list[arguments.Comparison]:
    """Where a vote's arguments differ from those proposed, to be agreed with."""
    theirs = vote.arguments or {}
    names = [*approval.proposed, *(name for name in theirs if name not in approval.proposed)]
    rows = ((name, approval.proposed.get(name), theirs.get(name)) for name in names)
    return [
        arguments.Comparison(name, _short(before), _short(after), _short(after))
        for name, before, after in rows
        if not is_same(before, after)
    ]


def _short(value: Any) -> str:
    return "" if value is None else words.as_text(value)


def _typed(form: Mapping[str, Any], proposed: str) -> str:
    return unified(str(form[TEXT])).strip() if form.get(TEXT) else proposed


def _object(text: str) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise InvalidInput(fields={TEXT: str(error)}) from None
    if not isinstance(value, dict):
        raise InvalidInput(fields={TEXT: "The arguments are an object: {…}."})
    return value
