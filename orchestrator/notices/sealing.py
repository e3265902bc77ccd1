"""Secrets of webhooks: made, and encrypted where they are stored."""

import base64
import secrets
from functools import cache

from agents.checkpoints.codec import Encoded
from agents.checkpoints.encryption import Vault
from agents.services.webhooks import Sealed
from orchestrator.conf import secret_keys

PREFIX = "whsec_"
_KIND = "secret"


@cache
def _vault() -> Vault:
    keys = secret_keys()
    return Vault(keys.key, keys.old)


def made() -> str:
    """A fresh secret, as the Standard Webhooks specification writes one."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sealed(secret: str) -> Sealed:
    """A secret as it is stored."""
    return Sealed(*_vault().stored(Encoded(_KIND, secret.encode())))


def opened(kind: str, data: bytes | memoryview) -> str:
    """The secret again. Raises StateKeyMissing, StateDamaged."""
    return _vault().opened(kind, bytes(data)).data.decode()
