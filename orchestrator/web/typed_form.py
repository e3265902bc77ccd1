"""Fields of a form made from JSON schemas, and values from what the form sends."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import Any

from agents.storable import is_same
from orchestrator.actions.json_text import parse_json
from orchestrator.web.words import amount

_LONG = 120  # characters from which on a text gets an area
_DEEPEST = 8  # "or nothing" in each other
_WHOLE = re.compile(r"[-+]?[0-9]{1,4000}")  # a longer one Python does not read
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


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
        text = self.value.strip()
        is_whole = bool(_WHOLE.fullmatch(text))
        if self.step == "1" and is_whole:
            return int(text)
        number = float(text) if self.step != "1" and _NUMBER.fullmatch(text) else nan
        if is_whole and number != int(text):  # no float is that number, so it stays a whole one
            return int(text)
        if not isfinite(number):
            raise ValueError(f"“{self.value}” is not {'a whole number' if self.step == '1' else 'a number'}.")
        return number


def field(name: str, schema: Mapping[str, Any], value: Any, kind: str = "") -> Field:
    """The field of a value, from its resolved schema. `kind` overrides the one that the schema means."""
    kind = kind or kind_of(schema, value)
    choices = tuple(schema.get("enum", ()))
    options = _options(choices)
    chosen = (option for option, choice in zip(options, choices, strict=True) if is_same(choice, value))
    text = next(chosen, text_of(value, kind))
    return Field(
        name=name,
        label=str(schema.get("title") or name.replace("_", " ").capitalize()),
        kind=kind,
        value=text,
        proposed=text,
        type_words=_type_words(schema, kind),
        hint=str(schema.get("description", "")),
        options=options,
        choices=choices,
        step="1" if schema.get("type") == "integer" else "any",
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        is_nullable=bool(schema.get("nullable")),
    )


def _options(choices: Sequence[Any]) -> tuple[str, ...]:
    """The texts of choices; those that would look alike, such as 1 and “1”, as JSON."""
    texts = [text_of(choice, "choice") for choice in choices]
    counts = Counter(texts)
    return tuple(
        json.dumps(choice, ensure_ascii=False) if counts[text] > 1 else text
        for text, choice in zip(texts, choices, strict=True)
    )


def resolved(part: Any, schema: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """A part of a schema with its reference followed and its "or nothing" taken off and told as `nullable`.

    One that is just true or false says nothing of a control.
    """
    if not isinstance(part, Mapping):
        return {}
    found = dict(part)
    if isinstance(reference := found.get("$ref"), str):
        named = schema.get("$defs", {}).get(reference.rpartition("/")[2])
        found |= named if isinstance(named, Mapping) else {}
    choices = [one for one in found.get("anyOf", ()) if not (isinstance(one, Mapping) and one.get("type") == "null")]
    if len(choices) != 1 or depth == _DEEPEST:
        return found
    return found | resolved(choices[0], schema, depth + 1) | {"nullable": len(found["anyOf"]) > 1}


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
