"""Pushes to browsers: encrypted for the browser, signed for its push service (RFC 8030, 8188, 8291, 8292)."""

import base64
from email.utils import parseaddr
from functools import cache
from urllib.parse import urlsplit

import http_ece
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone
from py_vapid import Vapid02

from agents.models import Delivery, PushSubscription
from orchestrator.conf import notice_settings
from orchestrator.notices import content
from orchestrator.notices.content import Notice
from orchestrator.notices.messages import Call

LONGEST_LIFE = 86_400  # seconds that a push service keeps what it cannot deliver yet
GONE = (404, 410)


def call(delivery: Delivery, subscription: PushSubscription) -> Call:
    """The request of a delivery. Raises ValueError for a subscription whose keys are none."""
    told = content.of(delivery)
    headers = {
        "content-type": "application/octet-stream",
        "content-encoding": "aes128gcm",
        "ttl": str(_life(told)),
        "urgency": "high",
        **_signed(subscription.endpoint),
    }
    return Call(subscription.endpoint, _encrypted(orjson.dumps(shown(told)), subscription), headers)


def shown(told: Notice) -> dict[str, str]:
    """What a browser shows of a notice."""
    return {"title": f"{told.headline}: {told.title}", "body": told.line, "url": told.link, "tag": told.tag}


def public_key() -> str:
    """What browsers subscribe with."""
    point = _vapid().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


@cache
def _vapid() -> Vapid02:
    return Vapid02.from_raw(notice_settings().push_key.encode())


def _signed(endpoint: str) -> dict[str, str]:
    parts = urlsplit(endpoint)
    settings = notice_settings()
    contact = settings.site if settings.site.startswith("https:") else f"mailto:{parseaddr(settings.sender)[1]}"
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "sub": contact}
    return {"authorization": _vapid().sign(claims)["Authorization"]}


def _life(told: Notice) -> int:
    if told.deadline is None:
        return LONGEST_LIFE
    return min(LONGEST_LIFE, max(60, int((told.deadline - timezone.now()).total_seconds())))


def _encrypted(payload: bytes, subscription: PushSubscription) -> bytes:
    encrypted: bytes = http_ece.encrypt(
        payload,
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=_bytes(subscription.key),
        auth_secret=_bytes(subscription.auth),
        version="aes128gcm",
    )
    return encrypted


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
