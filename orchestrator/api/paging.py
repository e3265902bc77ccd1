"""Cursors: where the next page of a list begins, as a text that means nothing to whoever keeps it."""

import base64
import binascii
from datetime import datetime
from uuid import UUID

import orjson

from agents.errors import InvalidInput
from agents.lifecycle import Risk
from agents.models import Approval
from agents.selectors.approvals import Mark


def after(approval: Approval) -> str:
    """The cursor of the page that begins after this request."""
    at = [approval.deadline_at, approval.risk, approval.created_at, approval.pk]
    return base64.urlsafe_b64encode(orjson.dumps(at)).decode().rstrip("=")


def read(cursor: str) -> Mark | None:
    """Where the page begins; None: with the first request. Raises InvalidInput."""
    if not cursor:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        deadline, risk, created, named = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return Mark(_moment(deadline) if deadline else None, Risk(risk), _moment(created), UUID(named))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise InvalidInput(fields={"cursor": "This is no cursor of this list."}) from None


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at
