"""Values encrypted at rest: with LangGraph's `EncryptedSerializer`, under a keyed hash of what they hold.

What is stored names the key that it was encrypted with. Values from before there was a key stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from langgraph.checkpoint.serde.base import CipherProtocol, SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from agents.checkpoints.codec import Encoded
from agents.checkpoints.errors import StateDamaged, StateKeyMissing

KEY_BYTES = (16, 24, 32)  # of AES
ENCRYPTED = "+"  # in the kind of a stored value, before the name of its cipher
_NAME_BYTES = 4


class Vault:
    """Encrypts values with its key, if it has one, and decrypts them with any of its keys."""

    def __init__(self, key: bytes | None = None, old_keys: Sequence[bytes] = ()) -> None:
        """Keys of AES: 16, 24 or 32 bytes. Raises ValueError for others, ImportError without pycryptodome."""
        keys = [*([] if key is None else [key]), *old_keys]
        if any(len(one) not in KEY_BYTES for one in keys):
            raise ValueError("a key of AES has 16, 24 or 32 bytes")
        self._hash_keys = {_name(one): blake2b(b"hash of a value", key=one).digest() for one in keys}
        self.encrypts = key is not None
        self.hash_key = b"" if key is None else self._hash_keys[_name(key)]
        self._serde = EncryptedSerializer(_KeyRing(keys), _Bytes())

    def stored(self, encoded: Encoded) -> tuple[str, bytes]:
        """The kind and the bytes that are stored of a value."""
        return self._serde.dumps_typed(encoded) if self.encrypts else (encoded.kind, encoded.data)

    def opened(self, kind: str, data: bytes) -> Encoded:
        """The value from its kind and bytes. Raises StateDamaged, StateKeyMissing."""
        if ENCRYPTED not in kind:
            return Encoded(kind, data)
        plain_kind, plain = self._serde.loads_typed((kind, data))
        return Encoded(plain_kind, plain, self._hash_keys[kind.rpartition("-")[2]])


class _Bytes(SerializerProtocol):
    """What `EncryptedSerializer` calls for the bytes of a value: they have been made already."""

    def dumps_typed(self, obj: Encoded) -> tuple[str, bytes]:
        return obj.kind, obj.data

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return data


class _KeyRing(CipherProtocol):
    """LangGraph's AES, which knows one key, for several. The name of the cipher tells the key."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_name(key): EncryptedSerializer.from_pycryptodome_aes(key=key).cipher for key in keys}
        self._current = _name(keys[0]) if keys else ""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        name, ciphertext = self._ciphers[self._current].encrypt(plaintext)
        return f"{name}-{self._current}", ciphertext

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        name, _, key = ciphername.rpartition("-")
        cipher = self._ciphers.get(key)
        if cipher is None:
            raise StateKeyMissing(f"This state is encrypted with the key {key}, which is not given.", key=key)
        try:
            return cipher.decrypt(name, ciphertext)
        except (AssertionError, ValueError) as error:  # another cipher's name; a tag that does not fit
            raise StateDamaged("an encrypted value was changed") from error


def _name(key: bytes) -> str:
    """What a key is called: it tells keys apart, and tells nothing of them."""
    return blake2b(b"name of a key", key=key, digest_size=_NAME_BYTES).hexdigest()
