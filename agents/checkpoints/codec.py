"""How values become stored bytes, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
DRAFT_BYTES = 1800  # of a message that was read, without its text
ENTRY_BYTES = 300  # of any other entry of a cache, without its data
KNOWN_BYTES = 32 * 1024 * 1024  # of encoded messages
JSON = "json"
MESSAGE = "message"
_READABLE = (JSON, MESSAGE)
_STRICT = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


class Encoded:
    """A value as it is stored: JSON text where that is exact, else what the serializer made of it."""

    __slots__ = ("data", "draft", "hash", "kind")  # a state has hundreds of them

    def __init__(self, kind: str, data: bytes, hash_key: bytes = b"") -> None:
        """`hash` is what the value is stored under, `draft` what was read of a message.

        With a `hash_key` the hash tells nothing of the value to those who do not have the key.
        """
        self.kind = kind
        self.data = data
        self.hash = blake2b(kind.encode() + b"/" + data, digest_size=HASH_BYTES, key=hash_key).digest()
        self.draft: messages.Draft | None = None

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory."""
        return 2 * len(self.data) + DRAFT_BYTES if self.kind == MESSAGE else len(self.data) + ENTRY_BYTES

    @property
    def is_short(self) -> bool:
        """Whether it stands in the row that names it."""
        return len(self.data) <= INLINE_BYTES


class Seen(NamedTuple):
    """A message as it was when it was encoded."""

    message: BaseMessage
    fields: bytes
    encoded: Encoded

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory: the message, its fields and their encoding."""
        return 2 * len(self.fields) + self.encoded.weight


class Encoder:
    """Values as bytes. Remembers messages: a graph saves the same ones again at each step."""

    def __init__(self, hash_key: bytes = b"") -> None:
        """Remembers nothing yet. See `Encoded` for `hash_key`."""
        self._hash_key = hash_key
        self._seen: BoundedCache[int, Seen] = BoundedCache(KNOWN_BYTES, lambda seen: seen.weight)

    def encode(self, serde: SerializerProtocol, value: object) -> Encoded:
        """Any value as bytes. Raises TypeError for one that the serializer does not know."""
        shape = messages.shape_of(value)
        encoded = self._json(value) if shape is None else self._message(shape, cast("BaseMessage", value))
        if encoded is None:
            kind, data = serde.dumps_typed(value)
            encoded = Encoded(kind, bytes(data), self._hash_key)
        return encoded

    def encode_all(self, serde: SerializerProtocol, values: Sequence[Any]) -> list[Encoded]:
        """Each of these as `encode` does it."""
        seen = self._seen.get_many(map(id, values))
        encoded = []
        for value in values:
            known = seen.get(id(value))
            is_same = known is not None and known.message is value and known.fields == _fields(value)
            encoded.append(known.encoded if known is not None and is_same else self.encode(serde, value))
        return encoded

    def _message(self, shape: messages.Shape, message: BaseMessage) -> Encoded | None:
        encoded = self._json(shape.fields(message), MESSAGE)
        fields = _fields(message)
        if encoded is not None and fields:
            self._seen.put(id(message), Seen(message, fields, encoded))
        return encoded

    def _json(self, value: object, kind: str = JSON) -> Encoded | None:
        """The value as JSON, or None where that would not give it back."""
        if value is None:  # PostgreSQL would read a JSON null as no body
            return None
        try:
            return Encoded(kind, orjson.dumps(value), self._hash_key) if _is_exact_json(value) else None
        except (TypeError, RecursionError):
            return None  # lone surrogates, integers over 64 bits, deep nesting


def _fields(message: BaseMessage) -> bytes:
    """What tells whether a message was changed in its place; nothing of one that JSON does not hold."""
    try:
        return b"" if message.__pydantic_extra__ else orjson.dumps(message.__dict__, option=_STRICT)
    except TypeError:
        return b""


def decode(serde: SerializerProtocol, encoded: Encoded) -> Any:
    """The value, the caller's own."""
    if encoded.draft is not None:
        return encoded.draft.message()
    if encoded.kind == JSON:
        return orjson.loads(encoded.data)
    if encoded.kind == MESSAGE:
        encoded.draft = messages.Draft(encoded.data)
        return encoded.draft.message()
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
        return type(value) is dict and all(map(_is_exact_key, value)) and all(map(_is_exact_json, value.values()))
    return value is None or type(value) in (bool, int)


def _is_exact_key(key: object) -> bool:
    return type(key) is str and "\0" not in key


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


def columns(kind: str, data: bytes) -> dict[str, Any]:
    """A stored value as columns of a `json_to_recordset`."""
    if kind in _READABLE:
        return {"kind": kind, "body": orjson.Fragment(data)}
    return {"kind": kind, "raw": hex_text(data)}


def hex_text(data: bytes) -> str:
    """Bytes as PostgreSQL reads them from text."""
    return "\\x" + data.hex()


def state_hash(hashes: Mapping[str, bytes]) -> bytes:
    """The hash of a checkpoint's contents from those of its channels: equal contents, equal hash."""
    digest = blake2b(digest_size=HASH_BYTES)
    for channel, value_hash in sorted(hashes.items()):
        digest.update(channel.encode() + b"\0" + value_hash)
    return digest.digest()
