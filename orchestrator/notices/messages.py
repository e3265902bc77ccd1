"""What is sent to a webhook: JSON of an occasion, signed anew for each try."""

from dataclasses import dataclass
from typing import Any

import orjson
from django.utils import timezone

from agents.models import Delivery, Webhook
from agents.words import Occasion
from orchestrator.notices import content, sealing, signing

MOST_BYTES = 64 * 1024  # of a body; with more, its arguments are left out


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request that is ready to be sent."""

    url: str
    body: bytes
    headers: dict[str, str]


def call(delivery: Delivery, webhook: Webhook) -> Call:
    """The request of a delivery. Raises StateKeyMissing, StateDamaged where the secret cannot be read."""
    body = body_of(delivery, with_arguments=webhook.with_arguments)
    signed = signing.headers(str(delivery.pk), timezone.now(), body, _secrets(webhook))
    return Call(webhook.url, body, {"content-type": "application/json", **signed})


def _secrets(webhook: Webhook) -> list[str]:
    secrets = [sealing.opened(webhook.secret_kind, webhook.secret)]
    if webhook.old_secret is not None and webhook.old_until and webhook.old_until > timezone.now():
        secrets.append(sealing.opened(webhook.old_secret_kind, webhook.old_secret))
    return secrets


def body_of(delivery: Delivery, *, with_arguments: bool) -> bytes:
    """The body, which is the same for each try."""
    data = _data(delivery)
    if with_arguments and delivery.approval is not None:
        whole = _written(delivery, {**data, "arguments": delivery.approval.proposed})
        if len(whole) <= MOST_BYTES:
            return whole
        data["arguments_left_out"] = True
    return _written(delivery, data)


def _written(delivery: Delivery, data: dict[str, Any]) -> bytes:
    kind = "webhook.test" if delivery.occasion == Occasion.TEST else f"approval.{delivery.occasion}"
    return orjson.dumps({"type": kind, "timestamp": delivery.happened_at.isoformat(), "data": data})


def _data(delivery: Delivery) -> dict[str, Any]:
    approval = delivery.approval
    if approval is None:
        return {"project": delivery.project.name, "message": "This is a test."}
    told = content.of(delivery)
    return {
        "request_id": str(approval.pk),
        "title": told.title,
        "tool": told.tool,
        "risk": told.risk,
        "mission": told.mission,
        "project": told.project,
        "deadline": told.deadline.isoformat() if told.deadline else None,
        "link": told.link,
        **delivery.detail,
    }
