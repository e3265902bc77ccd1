"""Fields of a form made from JSON schemas, and values from what the form sends."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.actions.json_text import parse_json
from orchestrator.web.words import amount

_LONG = 120  # characters from which on a text gets an area


@dataclass(frozen=True, slots=True)
class Field:
    """One value in a form. `value` and `proposed` are texts as the form sends them.

    `choices` are the values behind the texts in `options`.
    """

    name: str
    label: str
    kind: str  # text, area, number, check, choice or json
    value: str
    proposed: str
    type_words: str
    hint: str = ""
    error: str = ""
    options: tuple[str, ...] = ()
    choices: tuple[Any, ...] = ()
    step: str = ""
    minimum: Any = None
    maximum: Any = None
    is_nullable: bool = False

    @property
    def is_changed(self) -> bool:
        """Does it differ from what was proposed?"""
        return self.value != self.proposed

    @property
    def rows(self) -> int:
        """Lines of an area that hold what stands in it, within reason."""
        return min(max(self.value.count("\n") + 1, 3), 14)

    def given(self, text: str | None, error: str = "") -> "Field":
        """The field with what a person typed, None where nothing was, and what is wrong with it."""
        return replace(self, value=self.value if text is None else unified(text), error=error)

    def read(self) -> Any:
        """The value that its text means. Raises ValueError, with a message for a person."""
        if self.kind == "check":
            return self.value == "true"
        if self.kind == "choice":
            return self._chosen()
        if self.kind == "number":
            return self._number()
        return parse_json(self.value) if self.kind == "json" else self.value

    def _chosen(self) -> Any:
        if self.value in self.options:
            return self.choices[self.options.index(self.value)]
        raise ValueError("Choose one of the list.")

    def _number(self) -> int | float | None:
        if not self.value and self.is_nullable:
            return None
        try:
            return int(self.value) if self.step == "1" else float(self.value)
        except ValueError:
            kind = "a whole number" if self.step == "1" else "a number"
            raise ValueError(f"“{self.value}” is not {kind}.") from None


def field(name: str, schema: Mapping[str, Any], value: Any, kind: str = "") -> Field:
    """The field of a value, from its resolved schema. `kind` overrides the one that the schema means."""
    kind = kind or kind_of(schema, value)
    text = text_of(value, kind)
    choices = tuple(schema.get("enum", ()))
    return Field(
        name=name,
        label=str(schema.get("title") or name.replace("_", " ").capitalize()),
        kind=kind,
        value=text,
        proposed=text,
        type_words=_type_words(schema, kind),
        hint=str(schema.get("description", "")),
        options=tuple(text_of(choice, "choice") for choice in choices),
        choices=choices,
        step="1" if schema.get("type") == "integer" else "any",
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        is_nullable=bool(schema.get("nullable")),
    )


def resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a schema with its reference followed and its "or nothing" taken off and told as `nullable`."""
    found = dict(part)
    if reference := found.get("$ref", ""):
        found |= schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
    choices = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
    if len(choices) != 1:
        return found
    return found | resolved(choices[0], schema) | {"nullable": len(found["anyOf"]) > 1}


def kind_of(schema: Mapping[str, Any], value: Any) -> str:
    """Which control suits a schema, and the value that stands there."""
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


def text_of(value: Any, kind: str) -> str:
    """A value as the form of its kind sends it."""
    if kind == "check":
        return "true" if value else "false"
    if kind == "json":
        return json.dumps(value, ensure_ascii=False, indent=2)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else unified(str(value))


def unified(text: str) -> str:
    """A text whatever a browser did to its line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
