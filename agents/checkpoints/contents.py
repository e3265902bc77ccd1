"""What a channel or a write holds: a value in its row, one stored value, or a list or dict by its items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph.checkpoint.serde.types import _DeltaSnapshot

from agents.checkpoints import messages
from agents.checkpoints.codec import HASH_BYTES, Encoded, Encoder, decode
from agents.checkpoints.errors import StateDamaged
from agents.models.states import Form

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

BY_ITEM_BYTES = 256  # a shorter list or dict is one value
BY_ITEM_MEAN = 48  # so is one of many short items: a hash and a row would take more

Values = Mapping[bytes, Encoded]


class Content(NamedTuple):
    """What is held: `items` are the hashes of stored values, one after the other.

    Neither is known of a list whose base is lost, or of an encrypted value that was changed.
    """

    form: str
    encoded: Encoded | None = None
    items: bytes | None = None

    @property
    def hash(self) -> bytes:
        """Equal contents have equal hashes."""
        if self.encoded is not None:
            return self.encoded.hash
        if self.form == Form.VALUE or self.items is None:
            return self.items or b""
        return blake2b(f"{self.form}/".encode() + self.items, digest_size=HASH_BYTES).digest()

    def value(self, serde: SerializerProtocol, values: Values) -> Any:
        """The value. Raises StateDamaged if the space has not all of it."""
        if self.encoded is not None:
            return decode(serde, self.encoded)
        if self.items is None:
            raise StateDamaged("its contents are lost")
        try:
            found = [decode(serde, values[one]) for one in split(self.items)]
        except KeyError as missing:
            raise StateDamaged(f"the value {missing.args[0].hex()} is lost", value=missing.args[0].hex()) from None
        if self.form == Form.LIST:
            return found
        if self.form == Form.DICT:
            return dict(found)
        return _DeltaSnapshot(found) if self.form == Form.SNAPSHOT else found[0]


class Contents:
    """Makes contents of values."""

    def __init__(self, hash_key: bytes = b"") -> None:
        """Remembers nothing yet. See `Encoded` for `hash_key`."""
        self._encoder = Encoder(hash_key)

    def of(self, serde: SerializerProtocol, value: Any) -> tuple[Content, Sequence[Encoded]]:
        """What holds the value, and the stored values it names, in order.

        Raises TypeError for a value that the serializer does not know.
        """
        form, items = _items(value)
        if form is Form.LIST and any(messages.shape_of(item) is not None for item in items):
            return self._by_item(serde, form, items)  # they come again, one by one, in writes and other versions
        whole = self._encoder.encode(serde, value)
        if items and len(whole.data) > max(BY_ITEM_BYTES, BY_ITEM_MEAN * len(items)):
            return self._by_item(serde, form, items)
        if whole.is_short:
            return Content(Form.INLINE, whole), ()
        return Content(Form.VALUE, items=whole.hash), (whole,)

    def _by_item(
        self, serde: SerializerProtocol, form: Form, items: Sequence[Any]
    ) -> tuple[Content, Sequence[Encoded]]:
        encoded = self._encoder.encode_all(serde, items)
        return Content(form, items=b"".join([one.hash for one in encoded])), encoded


def _items(value: Any) -> tuple[Form, Sequence[Any]]:
    """How a value may be stored by item, and its items; none if it may not."""
    if type(value) is list:
        return Form.LIST, value
    if type(value) is dict and all(type(key) is str for key in value):
        return Form.DICT, [[key, item] for key, item in value.items()]
    if type(value) is _DeltaSnapshot and type(value.value) is list:
        return Form.SNAPSHOT, value.value
    return Form.VALUE, ()


def split(items: bytes) -> list[bytes]:
    """The hashes one by one."""
    return [items[start : start + HASH_BYTES] for start in range(0, len(items), HASH_BYTES)]


def needed(contents: Iterable[Content]) -> set[bytes]:
    """The hashes of the values that these name in their space."""
    return {one for content in contents if content.items for one in split(content.items)}
