"""The form in which a person edits a state: a field a channel, made from the schema of its type of agent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agents.errors import InvalidInput
from orchestrator.actions.json_text import parse_json
from orchestrator.runtime.states import Change, Channel, channels, nodes
from orchestrator.web.state_values import clean, entries, held, opened, preview
from orchestrator.web.typed_form import Field, field, kind_of, resolved, text_of

REDUCE, REPLACE = "reduce", "replace"
# before a channel's name: its value, whether that has a box to tick, what its reducer gets, which of the two
_WHOLE, _BOX, _MORE, _HOW = _PARTS = ("state-", "box-", "more-", "how-")
_MOST = 20_000  # characters of a value that is put into the form
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class ChannelField:
    """One channel: its `whole` value; where it has a reducer, also what that gets (`more`) and `how` it is changed.

    `is_left_out`: the value that stands there is too long for a form. `place` counts from 0.
    """

    name: str
    place: int
    whole: Field
    told: str
    more: Field | None = None
    how: str = ""
    is_left_out: bool = False
    error: str = ""

    @property
    def is_touched(self) -> bool:
        """Has a person typed or chosen anything here?"""
        return bool(self.how) or self.whole.is_changed or bool(self.more and self.more.is_changed)

    def read(self) -> Any:
        """The value that was typed. Raises ValueError, with a message for a person."""
        if self.more is None:
            return self.whole.read()
        if not self.how:
            raise ValueError("Say whether this goes through the reducer or replaces what is there.")
        return self.more.read() if self.how == REDUCE else self.whole.read()


class StateForm:
    """What a person sees and types. Without a `sent` form nothing is typed yet.

    Texts are held against `values`, the state that the form was made of. A value that nobody touched is not part
    of the change, whatever a browser did to its text.
    """

    def __init__(self, agent_type: str, values: Mapping[str, Any], sent: Mapping[str, str] | None = None) -> None:
        """Raises NotFound for a type of agent that is not known here."""
        self._sent = sent or {}
        self.nodes = nodes(agent_type)
        self.channels = [
            _channel(place, name, channel, values, self._sent)
            for place, (name, channel) in enumerate(channels(agent_type).items())
        ]
        self.raw = self._sent.get("raw", "")
        self.raw_how = REPLACE if self._sent.get("raw-how") == REPLACE else REDUCE
        self.as_node = self._sent.get("as_node", "")
        self.raw_error = self.node_error = self.error = ""

    @property
    def is_touched(self) -> bool:
        """Is there anything in it that would change the state?"""
        return bool(self.raw.strip() or self.as_node) or any(one.is_touched for one in self.channels)

    @property
    def has_errors(self) -> bool:
        """Does any part of it have one?"""
        return bool(self.raw_error or self.node_error or self.error) or any(one.error for one in self.channels)

    def over(self, agent_type: str, values: Mapping[str, Any]) -> "StateForm":
        """The same texts over another state: what was not touched stands as it is there."""
        touched = {one.name for one in self.channels if one.is_touched}
        names = {f"{part}{name}" for part in _PARTS for name in touched}
        kept = {name: text for name, text in self._sent.items() if name in names}
        more = {"raw": self.raw, "raw-how": self.raw_how, "as_node": self.as_node}
        return StateForm(agent_type, values, kept | more)

    def change(self) -> Change:
        """What it says. Raises InvalidInput with a message for each text that is no value of its type."""
        values: dict[str, Any] = {}
        replaced = []
        errors: dict[str, str] = {}
        for one in self.channels:
            if not one.is_touched:
                continue
            try:
                values[one.name] = one.read()
            except ValueError as error:
                errors[one.name] = str(error)
            if one.how == REPLACE:
                replaced.append(one.name)
        try:
            raw = self._read_raw(values)
        except ValueError as error:
            errors["raw"] = str(error)
            raw = {}
        if errors:
            raise InvalidInput("Some values cannot be read.", fields=errors)
        replaced += raw if self.raw_how == REPLACE else ()
        return Change({**values, **raw}, tuple(replaced), self.as_node or None)

    def _read_raw(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        if not self.raw.strip():
            return {}
        found = parse_json(self.raw)
        if fault := _fault(found, typed):
            raise ValueError(fault)
        return dict(found)

    def tell(self, errors: Mapping[str, str]) -> None:
        """Put each message beside what it is about."""
        left = dict(errors)
        self.node_error = left.pop("as_node", "")
        self.error = left.pop("", "")
        self.channels = [
            replace(one, error=left.pop(one.name)) if one.name in left and one.is_touched else one
            for one in self.channels
        ]
        own = left.pop("raw", "")
        self.raw_error = " ".join(filter(None, [own, *(f"{name}: {text}" for name, text in left.items())]))


def _fault(raw: Any, typed: Mapping[str, Any]) -> str:
    if not isinstance(raw, dict):
        return "This is no JSON object: names and values in { }."
    both = sorted(set(raw) & set(typed))
    return f"Changed in the form above, too: {', '.join(both)}." if both else ""


def _channel(
    place: int, name: str, channel: Channel, values: Mapping[str, Any], sent: Mapping[str, str]
) -> ChannelField:
    schema = resolved(channel.schema, channel.schema) | {"title": name}
    value = values.get(name)
    is_left_out = not _is_short(value)
    whole = _field(name, schema, None if is_left_out else value, is_there=name in values and not is_left_out)
    how = sent.get(f"{_HOW}{name}", "")
    more = _field(name, schema, None, is_there=False) if channel.reduces else None
    return ChannelField(
        name,
        place,
        whole.given(_sent(sent, name)),
        preview(value) if name in values else "not set",
        more.given(sent.get(f"{_MORE}{name}")) if more else None,
        how if more and how in (REDUCE, REPLACE) else "",
        is_left_out,
    )


def _sent(sent: Mapping[str, str], name: str) -> str | None:
    """The text of a field. A form sends nothing for a box that is not ticked."""
    if f"{_BOX}{name}" in sent:
        return "true" if f"{_WHOLE}{name}" in sent else "false"
    return sent.get(f"{_WHOLE}{name}")


def _field(name: str, schema: Mapping[str, Any], value: Any, *, is_there: bool) -> Field:
    kind = kind_of(schema, value)
    if kind == "check" and not is_there:  # a box cannot say that nothing is set
        schema, kind = {**schema, "enum": [True, False]}, "choice"
    if is_there and not _suits(value, kind, schema):
        kind = "json"
    made = field(name, schema, value if kind != "json" else None, kind)
    if kind != "json":
        return made
    text = clean(text_of(_plain(value), "json")) if is_there else ""
    return replace(made, value=text, proposed=text)


def _suits(value: Any, kind: str, schema: Mapping[str, Any]) -> bool:
    """Can a control of this kind hold the value, so that it comes back as it was?"""
    if kind == "choice":
        return value in schema["enum"]
    if value is None:
        return bool(schema.get("nullable")) and kind != "check"
    if kind in ("text", "area"):
        return isinstance(value, str) and clean(value) == value
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    return kind != "check" or isinstance(value, bool)


def _plain(value: Any) -> Any:
    """A value as JSON holds it: objects as what they hold, anything else as text."""
    inside = opened(value)
    if isinstance(inside, Mapping):
        return {str(key): _plain(one) for key, one in inside.items()}
    if isinstance(inside, list | tuple):
        return [_plain(one) for one in inside]
    return inside if inside is None or isinstance(inside, str | int | float | bool) else str(inside)


def _is_short(value: Any) -> bool:
    """Whether a value fits a form. Looks at no more of it than that takes."""
    left, waiting = _MOST, [(value, 0)]
    while waiting and left > 0:
        one, depth = waiting.pop()
        inside = held(one)
        if inside is None:
            left -= len(one) if isinstance(one, str | bytes) else 8
        elif depth == _DEEPEST:
            return False
        else:
            left -= len(inside)
            waiting += [(below, depth + 1) for _, below in entries(inside, 0, max(left, 0))]
    return left > 0
