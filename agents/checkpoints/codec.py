"""How values become stored bytes, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import orjson

from agents.checkpoints import messages
from agents.checkpoints.caches import BoundedCache

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.checkpoint.serde.base import SerializerProtocol

HASH_BYTES = 16
INLINE_BYTES = 128  # a shorter encoding stands in the row that names it: a hash and a row would take more
SCALAR_CHARACTERS = 64  # a longer string is stored once, not in every checkpoint
KNOWN_BYTES = 32 * 1024 * 1024  # of encoded messages
JSON = "json"
MESSAGE = "message"
_READABLE = (JSON, MESSAGE)
_STRICT = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


@dataclass(frozen=True)
class Encoded:
    """A value as it is stored: JSON text where that is exact, else what the serializer made of it."""

    kind: str
    data: bytes

    @cached_property
    def hash(self) -> bytes:
        """What the value is stored under."""
        return blake2b(self.kind.encode() + b"/" + self.data, digest_size=HASH_BYTES).digest()

    @property
    def is_short(self) -> bool:
        """Whether it stands in the row that names it."""
        return len(self.data) <= INLINE_BYTES


class Seen(NamedTuple):
    """A message as it was when it was encoded."""

    message: BaseMessage
    fields: bytes
    encoded: Encoded


class Encoder:
    """Values as bytes. Remembers messages: a graph saves the same ones again at each step."""

    def __init__(self) -> None:
        """Remembers nothing yet."""
        self._seen: BoundedCache[int, Seen] = BoundedCache(KNOWN_BYTES, lambda seen: 2 * len(seen.fields))

    def encode(self, serde: SerializerProtocol, value: object) -> Encoded:
        """Any value as bytes. Raises TypeError for one that the serializer does not know."""
        shape = messages.shape_of(value)
        encoded = _as_json(value) if shape is None else self._message(shape, cast("BaseMessage", value))
        if encoded is None:
            kind, data = serde.dumps_typed(value)
            encoded = Encoded(kind, bytes(data))
        return encoded

    def _message(self, shape: messages.Shape, message: BaseMessage) -> Encoded | None:
        try:
            fields = b"" if message.__pydantic_extra__ else orjson.dumps(message.__dict__, option=_STRICT)
        except TypeError:
            return None
        known = self._seen.get(id(message))
        if known is not None and known.message is message and known.fields == fields:
            return known.encoded
        encoded = _as_json(shape.fields(message), MESSAGE)
        if encoded is not None and fields:
            self._seen.put(id(message), Seen(message, fields, encoded))
        return encoded


def _as_json(value: object, kind: str = JSON) -> Encoded | None:
    """The value as JSON, or None where that would not give it back."""
    if value is None:  # PostgreSQL would read a JSON null as no body
        return None
    try:
        return Encoded(kind, orjson.dumps(value)) if _is_exact_json(value) else None
    except (TypeError, RecursionError):
        return None  # lone surrogates, integers over 64 bits, deep nesting


def decode(serde: SerializerProtocol, encoded: Encoded) -> Any:
    """The value, the caller's own."""
    if encoded.kind == JSON:
        return orjson.loads(encoded.data)
    if encoded.kind == MESSAGE:
        return messages.read(encoded.data)
    return serde.loads_typed((encoded.kind, encoded.data))


def _is_exact_json(value: object) -> bool:
    """Whether JSON gives the value back, type for type, from a column that holds no NUL."""
    if isinstance(value, str):
        return type(value) is str and "\0" not in value
    if isinstance(value, float):
        return type(value) is float and math.isfinite(value)
    if isinstance(value, list):
        return type(value) is list and all(map(_is_exact_json, value))
    if isinstance(value, dict):
        return type(value) is dict and all(
            isinstance(key, str) and _is_exact_json(key) and _is_exact_json(item) for key, item in value.items()
        )
    return value is None or type(value) in (bool, int)


def is_short_scalar(value: object) -> bool:
    """Whether the value may stand in `state_data`: short, and kept exactly by `jsonb`.

    `jsonb` keeps no -0.0, and turns 1e22 into an integer.
    """
    if type(value) is int:
        return -(2**63) <= value < 2**63
    if type(value) is float:
        return math.isfinite(value) and "e+" not in repr(value) and repr(value) != "-0.0"
    if type(value) is str:
        return len(value) <= SCALAR_CHARACTERS and value.isprintable()
    return value is None or type(value) is bool


def scalar_hash(value: object) -> bytes:
    """The hash of a short scalar."""
    return Encoded(JSON, orjson.dumps(value)).hash


def columns(encoded: Encoded) -> dict[str, Any]:
    """The encoding as columns of a `json_to_recordset`."""
    if encoded.kind in _READABLE:
        return {"kind": encoded.kind, "body": orjson.Fragment(encoded.data)}
    return {"kind": encoded.kind, "raw": hex_text(encoded.data)}


def hex_text(data: bytes) -> str:
    """Bytes as PostgreSQL reads them from text."""
    return "\\x" + data.hex()


def state_hash(hashes: Mapping[str, bytes]) -> bytes:
    """The hash of a checkpoint's contents from those of its channels: equal contents, equal hash."""
    digest = blake2b(digest_size=HASH_BYTES)
    for channel, value_hash in sorted(hashes.items()):
        digest.update(channel.encode() + b"\0" + value_hash)
    return digest.digest()


def jsonb_text(value: object) -> str:
    """JSON that `jsonb` takes: without NUL, lone surrogates, NaN; what is not JSON becomes its text."""
    try:
        text = orjson.dumps(value, default=str).decode()
    except TypeError:
        return json.dumps(_cleaned(value), default=str)
    return json.dumps(_cleaned(value), default=str) if "\\u0000" in text else text


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_cleaned(str(key)): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
