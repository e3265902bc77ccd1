"""A typed form from a tool's JSON schema, and back from what the form sends to arguments."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.errors import InvalidInput
from agents.models import Approval
from orchestrator.web.words import amount

PREFIX = "arg-"  # of a field's name in the form
_LONG = 120  # characters from which on a text gets an area


@dataclass(frozen=True, slots=True)
class Field:
    """One argument in the form. `value` and `proposed` are texts as the form sends them."""

    name: str
    label: str
    kind: str  # text, area, number, check, choice or json
    value: str
    proposed: str
    type_words: str
    hint: str = ""
    error: str = ""
    options: tuple[str, ...] = ()
    step: str = ""
    minimum: Any = None
    maximum: Any = None

    @property
    def is_changed(self) -> bool:
        """Does it differ from what the agent proposed?"""
        return self.value != self.proposed


def fields(
    approval: Approval, given: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> list[Field]:
    """The form of a request: proposed arguments, or the texts that a person `given` before, with their errors."""
    made = []
    for name, schema in _properties(approval).items():
        kind = _kind(schema, approval.proposed.get(name))
        proposed = _text(approval.proposed.get(name), kind)
        value = _unified(given[name]) if given is not None and name in given else proposed
        made.append(
            Field(
                name=name,
                label=str(schema.get("title") or name.replace("_", " ").capitalize()),
                kind=kind,
                value=value,
                proposed=proposed,
                type_words=_type_words(schema, kind),
                hint=str(schema.get("description", "")),
                error=(errors or {}).get(name, ""),
                options=tuple(str(option) for option in schema.get("enum", ())),
                step="1" if schema.get("type") == "integer" else "any",
                minimum=schema.get("minimum"),
                maximum=schema.get("maximum"),
            )
        )
    return made


def given_in(approval: Approval, form: Mapping[str, Any]) -> dict[str, str]:
    """The texts that a form sent. A form without any arguments proposes nothing else."""
    if not any(name.startswith(PREFIX) for name in form):
        return {}
    texts = {}
    for name, schema in _properties(approval).items():
        is_check = _kind(schema, approval.proposed.get(name)) == "check"
        sent = form.get(f"{PREFIX}{name}")
        if is_check:
            texts[name] = "true" if sent else "false"
        elif sent is not None:
            texts[name] = _unified(str(sent))
    return texts


def read(approval: Approval, given: Mapping[str, str]) -> dict[str, Any] | None:
    """The arguments that the texts mean; None when they are those proposed.

    An untouched field keeps its proposed value to the letter, whatever a browser did to its line ends. Raises
    InvalidInput with a message for each text that is no value of its type.
    """
    values, errors = dict(approval.proposed), {}
    for field in fields(approval, given):
        if not field.is_changed:
            continue
        try:
            values[field.name] = _value(field)
        except ValueError as error:
            errors[field.name] = str(error)
    if errors:
        raise InvalidInput("Some arguments cannot be read.", fields=errors)
    return values if values != approval.proposed else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One argument as it was proposed, as a person had it, as it is in effect."""

    name: str
    proposed: str
    yours: str
    effective: str


def compare(approval: Approval, mine: Sequence[Field]) -> list[Comparison]:
    """A person's arguments beside those that somebody else's decision put into effect."""
    effective = approval.effective or {}
    return [
        Comparison(field.label, field.proposed, field.value, _text(effective.get(field.name), field.kind))
        for field in mine
    ]


def _properties(approval: Approval) -> dict[str, dict[str, Any]]:
    """The schema of each argument; what the schema does not know is shown as it is."""
    schema = approval.schema
    parts = schema.get("properties", {})
    # PostgreSQL does not keep the order of an object's keys, but that of a list
    in_order = [*schema.get("required", ()), *parts]
    known = {name: _resolved(parts[name], schema) for name in in_order if name in parts}
    return known | {name: {} for name in approval.proposed if name not in known}


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A part with its reference followed and its "or nothing" taken off."""
    if reference := part.get("$ref", ""):
        part = part | schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
    choices = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    return part | choices[0] if len(choices) == 1 else part


def _kind(schema: Mapping[str, Any], value: Any) -> str:
    if "enum" in schema:
        return "choice"
    declared = schema.get("type")
    if declared in ("integer", "number"):
        return "number"
    if declared == "boolean":
        return "check"
    if declared == "string" or (declared is None and isinstance(value, str)):
        is_long = schema.get("format") == "markdown" or len(str(value or "")) > _LONG or "\n" in str(value or "")
        return "area" if is_long else "text"
    return "json"


def _text(value: Any, kind: str) -> str:
    if kind == "check":
        return "true" if value else "false"
    if kind == "json":
        return json.dumps(value, ensure_ascii=False, indent=2)
    return "" if value is None else _unified(str(value))


def _unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _value(field: Field) -> Any:
    if field.kind == "check":
        return field.value == "true"
    if field.kind == "number":
        return _number(field)
    if field.kind == "json":
        try:
            return json.loads(field.value)
        except ValueError as error:
            raise ValueError(f"This is no JSON: {error}.") from None
    return field.value


def _number(field: Field) -> int | float:
    try:
        return int(field.value) if field.step == "1" else float(field.value)
    except ValueError:
        kind = "a whole number" if field.step == "1" else "a number"
        raise ValueError(f"“{field.value}” is not {kind}.") from None


def _type_words(schema: Mapping[str, Any], kind: str) -> str:
    if kind == "choice":
        return f"one of {len(schema['enum'])}"
    if kind == "check":
        return "yes or no"
    if kind == "number":
        name = "whole number" if schema.get("type") == "integer" else "number"
        return name + _limits(schema.get("minimum"), schema.get("maximum"))
    if kind == "json":
        return str(schema.get("type", "data"))
    name = "Markdown" if schema.get("format") == "markdown" else "text"
    longest = schema.get("maxLength")
    return f"{name}, up to {amount(longest)} characters" if longest else name


def _limits(least: Any, most: Any) -> str:
    if least is not None and most is not None:
        return f", {least} to {most}"
    if least is not None:
        return f", at least {least}"
    return f", at most {most}" if most is not None else ""
