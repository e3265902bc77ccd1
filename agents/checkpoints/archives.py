"""Checkpoints as records of a file, and back: each value once, in the saver's own encoding."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, Any

import orjson

from agents.checkpoints.codec import JSON, MESSAGE, Encoded, Encoder, decode
from agents.errors import InvalidInput

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

Reference = str | dict[str, Any]
"""A hash of `values`; or the value itself; or a list: `head` items of an earlier one, `items`, its `tail` items."""

LEAST_ITEMS = 8  # of a list that is written item by item
MOST_ITEMS = 2_000_000  # of all lists that a file unfolds to


@dataclass(slots=True)
class Writer:
    """Turns values of one namespace into references.

    `known` are the hashes that the file holds already, shared with other writers; `fresh` gathers the new ones.
    """

    serde: SerializerProtocol
    known: set[str]
    fresh: dict[str, Any] = field(default_factory=dict)
    _lists: dict[str, tuple[str, list[bytes]]] = field(default_factory=dict)
    _encoder: Encoder = field(default_factory=Encoder)

    def take_fresh(self) -> dict[str, Any]:
        """The values that were referred to since it was last asked, by hash."""
        taken, self.fresh = self.fresh, {}
        return taken

    def channel(self, name: str, version: str, value: Any) -> Reference:
        """A channel's value; a list names what it shares with the one that the channel held before."""
        if type(value) is not list or len(value) < LEAST_ITEMS:
            return self.value(value)
        items = [self._encoder.encode(self.serde, item) for item in value]
        hashes = [item.hash for item in items]
        base, before = self._lists.get(name, ("", []))
        head = _common(before, hashes)
        tail = _common(before[head:][::-1], hashes[head:][::-1])
        self._lists[name] = (version, hashes)
        own = [self._reference(item) for item in items[head : len(items) - tail]]
        return {"base": base, "head": head, "items": own, "tail": tail}

    def value(self, value: Any) -> Reference:
        """A value: in the reference if it is short, else by its hash."""
        return self._reference(self._encoder.encode(self.serde, value))

    def _reference(self, encoded: Encoded) -> Reference:
        if encoded.is_short:
            return _told(encoded)
        name = encoded.hash.hex()
        if name not in self.known:
            self.known.add(name)
            self.fresh[name] = _told(encoded)
        return name


def _told(encoded: Encoded) -> dict[str, Any]:
    if encoded.kind == JSON:
        return {"json": orjson.Fragment(encoded.data)}
    if encoded.kind == MESSAGE:
        return {"message": orjson.Fragment(encoded.data)}
    return {"kind": encoded.kind, "data": b64encode(encoded.data).decode()}


def _common(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))


class ArchiveDamaged(InvalidInput):
    """The file is not what it should be."""

    def __init__(self, message: str) -> None:
        """The message stands beside the field of the file."""
        super().__init__(message, fields={"file": message})


@dataclass(slots=True)
class Reader:
    """Turns references into values. Raises ArchiveDamaged for what a `Writer` does not write."""

    serde: SerializerProtocol
    _values: dict[str, Encoded] = field(default_factory=dict)
    _lists: dict[tuple[str, str, str], list[Any]] = field(default_factory=dict)
    _items: int = 0

    def learn(self, values: Mapping[str, Any]) -> None:
        """Take up the values of a record. Each must be what its hash says."""
        for name, told in values.items():
            encoded = _encoded(told)
            if encoded.hash.hex() != name:
                raise ArchiveDamaged(f"The value {name} is not what its hash says.")
            self._values[name] = encoded

    def channel(self, ns: str, name: str, version: str, reference: Any) -> Any:
        """A channel's value, of a namespace."""
        if not isinstance(reference, dict) or "items" not in reference:
            return self.value(reference)
        base = self._lists.get((ns, name, str(reference.get("base", ""))), [])
        items = list(_spliced(base, reference))
        self._items += len(items)
        if self._items > MOST_ITEMS:
            raise ArchiveDamaged("Its lists unfold to more than can be imported.")
        self._lists[ns, name, version] = items
        return [self.value(item) for item in items]

    def value(self, reference: Any) -> Any:
        """A value."""
        if isinstance(reference, dict):
            encoded = _encoded(reference)
        elif (found := self._values.get(reference) if isinstance(reference, str) else None) is not None:
            encoded = found
        else:
            raise ArchiveDamaged("A value is named that is not in it.")
        try:
            value = decode(self.serde, encoded)
            return type(value).model_validate(value.model_dump()) if encoded.kind == MESSAGE else value
        except Exception as error:  # whatever a decoder makes of bytes from outside
            raise ArchiveDamaged("A value in it cannot be read.") from error


def _encoded(told: Any) -> Encoded:
    if isinstance(told, dict) and "json" in told:
        return Encoded(JSON, orjson.dumps(told["json"]))
    if isinstance(told, dict) and "message" in told:
        return Encoded(MESSAGE, orjson.dumps(told["message"]))
    try:
        return Encoded(str(told["kind"]), b64decode(told["data"], validate=True))
    except (TypeError, KeyError, ValueError):
        raise ArchiveDamaged("A value in it cannot be read.") from None


def _spliced(base: Sequence[Any], reference: Mapping[str, Any]) -> Iterator[Any]:
    head, own, tail = reference.get("head", 0), reference["items"], reference.get("tail", 0)
    if not isinstance(own, list) or not all(type(count) is int and 0 <= count <= len(base) for count in (head, tail)):
        raise ArchiveDamaged("A list in it does not fit the one that it goes on from.")
    yield from base[:head]
    yield from own
    yield from base[len(base) - tail :]
