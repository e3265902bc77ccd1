"""The forms in which graphs stop to ask a person, each answered in its own form.

`inbox`: an action with what is allowed, as the first Agent Inbox took it; the answer is a list of responses.
`batch`: LangChain's human-in-the-loop middleware, all calls of a message at once; the answer is decisions by position.
`call`: the same, one call; the answer is one decision.
`open`: anything else; the answer is any JSON, or one that fits the graph's own schema.

A malformed answer would be stored by LangGraph and break the thread for good, so answers are checked before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic_core import to_jsonable_python

from agents.errors import InvalidInput
from agents.schemas import faults, is_schema
from agents.storable import jsonb_value, storable_text

APPROVE, EDIT, REJECT, RESPOND = "approve", "edit", "reject", "respond"
EVERY = (APPROVE, EDIT, REJECT, RESPOND)
MOST_ACTIONS = 100  # of one interrupt
MOST_REFERENCES = 8  # of a schema from one of its parts to the next
LONGEST_TITLE = 200  # characters
LONGEST_DESCRIPTION = 10_000
_INBOX = {"allow_accept": APPROVE, "allow_edit": EDIT, "allow_ignore": REJECT, "allow_respond": RESPOND}


class Form(StrEnum):
    """How a graph asks, and so how it is answered."""

    INBOX = "inbox"
    BATCH = "batch"
    CALL = "call"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person is asked for. `tool`: what would be called, empty in the open form.

    `schema` is that of its arguments, in the open form of the answer; empty where the graph gives none.
    """

    tool: str
    title: str
    arguments: dict[str, Any]
    allowed: tuple[str, ...]
    description: str = ""
    schema: dict[str, Any] = field(default_factory=dict)
    may_change_tool: bool = False


@dataclass(frozen=True, slots=True)
class Interrupt:
    """All that one interrupt asks for; it is answered when each of its actions is decided."""

    form: Form
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person decided about an action. `tool` and `arguments` are the effective ones, `words` are the person's.

    `value` answers in the open form.
    """

    verdict: str
    tool: str = ""
    arguments: dict[str, Any] | None = None
    words: str = ""
    value: Any = None


def read(value: Any, schema: Any = None) -> Interrupt:
    """What an interrupt's value asks for. `schema`: the graph's own for the answer, if it gave one."""
    plain = jsonb_value(to_jsonable_python(value, bytes_mode="base64", fallback=str))
    found = _inbox(plain) or _batch(plain) or _call(plain, schema)
    return found or Interrupt(Form.OPEN, (_open(plain, schema),))


def check(action: Action, form: Form, decided: Decided) -> None:
    """Raise InvalidInput, with a message for each bad field, for what the graph could not take as an answer."""
    if decided.verdict not in action.allowed:
        raise InvalidInput(f"This request cannot be answered with “{decided.verdict}”.")
    if form is Form.OPEN:
        _check_fields(faults(action.schema, decided.value) if action.schema else {})
    elif decided.verdict == EDIT:
        if decided.tool != action.tool and not action.may_change_tool:
            raise InvalidInput(fields={"": "Another tool cannot be called in place of this one."})
        if not isinstance(decided.arguments, dict):
            raise InvalidInput(fields={"": "The arguments must be an object."})
        is_same = decided.tool == action.tool
        _check_fields(faults(action.schema, decided.arguments) if action.schema and is_same else {})
    elif decided.verdict == RESPOND and not decided.words.strip():
        raise InvalidInput(fields={"reason": "Say something: it is what the agent gets for an answer."})


def answer(form: Form, decided: Sequence[Decided]) -> Any:
    """What the graph is resumed with once all of its actions are decided, in their order."""
    if form is Form.INBOX:
        return [_inbox_response(one) for one in decided]
    if form is Form.BATCH:
        return {"decisions": [_decision(one) for one in decided]}
    return _decision(decided[0]) if form is Form.CALL else decided[0].value


def _check_fields(found: Mapping[str, str]) -> None:
    if found:
        raise InvalidInput("The answer does not fit.", fields=dict(found))


def _inbox(value: Any) -> Interrupt | None:
    """A request of the Agent Inbox, or a list of them."""
    asked = value if isinstance(value, list) else [value]
    actions = [_inbox_action(one) for one in asked]
    if not 0 < len(actions) <= MOST_ACTIONS:
        return None
    known = tuple(action for action in actions if action is not None)
    return Interrupt(Form.INBOX, known) if len(known) == len(actions) else None


def _inbox_action(value: Any) -> Action | None:
    match value:
        case {"action_request": {"action": str(name), **request}, "config": dict(config)}:
            arguments = request.get("args")
            allowed = tuple(verdict for key, verdict in _INBOX.items() if config.get(key) is True)
            if not allowed or not (arguments is None or isinstance(arguments, dict)):
                return None
            return _action(name, arguments or {}, allowed, value.get("description"), may_change_tool=True)
    return None


def _batch(value: Any) -> Interrupt | None:
    """A message's calls, from LangChain's middleware."""
    match value:
        case {"action_requests": [*requests], "review_configs": [*configs]}:
            actions = [_batch_action(one, configs) for one in requests]
            known = tuple(action for action in actions if action is not None)
            if 0 < len(known) == len(actions) <= MOST_ACTIONS:
                return Interrupt(Form.BATCH, known)
    return None


def _batch_action(request: Any, configs: Sequence[Any]) -> Action | None:
    match request:
        case {"name": str(name), "args": dict(arguments)}:
            own = [one for one in configs if isinstance(one, dict) and one.get("action_name") == name]
            config = own[0] if own else {}
            allowed = tuple(one for one in EVERY if one in (config.get("allowed_decisions") or ()))
            schema = config.get("args_schema")
            if not allowed:
                return None
            return _action(name, arguments, allowed, request.get("description"), schema=schema, may_change_tool=True)
    return None


def _call(value: Any, schema: Any) -> Interrupt | None:
    """One call, from the same middleware; what is allowed stands in the schema of the answer."""
    match value:
        case {"type": "tool_approval", "tool_call_id": str(), "name": str(name), "args": dict(arguments)}:
            branches = _branches(schema)
            allowed = tuple(one for one in EVERY if not branches or one in branches)
            edited = branches.get(EDIT, {})
            known = _arguments_schema(schema, edited) if edited else None
            action = _action(name, arguments, allowed, value.get("description"), schema=known)
            return Interrupt(Form.CALL, (action,))
    return None


def _branches(schema: Any) -> dict[str, dict[str, Any]]:
    """The schemas of the decisions that a schema allows, by their type."""
    if not isinstance(schema, dict) or not is_schema(schema):
        return {}
    options = schema.get("oneOf") or schema.get("anyOf") or [schema]
    found = {}
    for option in options:
        branch = _resolved(schema, option)
        kind = _resolved(schema, branch.get("properties", {}).get("type", {})).get("const")
        if kind in EVERY:
            found[str(kind)] = branch
    return found


def _arguments_schema(schema: Any, edit: dict[str, Any]) -> dict[str, Any]:
    """The schema of an edit's arguments, with the definitions that it may refer to."""
    edited = _resolved(schema, edit.get("properties", {}).get("edited_action", {}))
    arguments = _resolved(schema, edited.get("properties", {}).get("args", {}))
    definitions = schema.get("$defs", {})
    return {**arguments, "$defs": definitions} if definitions and arguments else arguments


def _resolved(schema: dict[str, Any], part: Any) -> dict[str, Any]:
    """A part of a schema, or what it refers to; nothing where that goes round in a circle."""
    for _ in range(MOST_REFERENCES):
        if not isinstance(part, dict):
            return {}
        if not isinstance(reference := part.get("$ref"), str):
            return part
        part = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"))
    return {}


def _open(value: Any, schema: Any) -> Action:
    shown = value if isinstance(value, dict) else {"asked": value}
    words = value if isinstance(value, str) else next((shown[key] for key in _QUESTIONS if key in shown), "")
    title = words if isinstance(words, str) and words.strip() else "The agent asks for an answer"
    known = schema if is_schema(schema) else {}
    return Action("", _short(title), shown, (RESPOND,), schema=dict(known))


_QUESTIONS = ("question", "title", "message", "prompt", "query")


def _action(
    name: str,
    arguments: dict[str, Any],
    allowed: tuple[str, ...],
    description: Any,
    *,
    schema: Any = None,
    may_change_tool: bool = False,
) -> Action:
    return Action(
        tool=name,
        title=_short(name.replace("_", " ").capitalize()),
        arguments=arguments,
        allowed=allowed,
        description=storable_text(description[:LONGEST_DESCRIPTION]) if isinstance(description, str) else "",
        schema=dict(schema) if schema and is_schema(schema) else {},
        may_change_tool=may_change_tool,
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"


def _inbox_response(decided: Decided) -> dict[str, Any]:
    if decided.verdict == EDIT:
        return {"type": "edit", "args": {"action": decided.tool, "args": decided.arguments}}
    if decided.verdict == RESPOND:
        return {"type": "response", "args": decided.words}
    return {"type": "accept" if decided.verdict == APPROVE else "ignore", "args": None}


def _decision(decided: Decided) -> dict[str, Any]:
    if decided.verdict == EDIT:
        return {"type": "edit", "edited_action": {"name": decided.tool, "args": decided.arguments}}
    if decided.verdict == APPROVE:
        return {"type": "approve"}
    return {"type": decided.verdict, "message": decided.words}
