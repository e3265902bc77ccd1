"""Signatures of the Standard Webhooks specification: HMAC-SHA256 over id, time and body."""

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime

from orchestrator.notices.sealing import PREFIX


def headers(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of a message, with a signature by each secret."""
    seconds = str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signature(message_id, seconds, body, one) for one in secrets),
    }


def signature(message_id: str, seconds: str, body: bytes, secret: str) -> str:
    """One signature."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(signed).decode()}"
