"""Cursors: where the next page of a list begins, as a text that means nothing to whoever keeps it."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson

from agents.errors import InvalidInput
from agents.lifecycle import Risk
from agents.models import Approval
from agents.selectors import approvals, decisions

MarkT = TypeVar("MarkT")


def after(approval: Approval) -> str:
    """The cursor of the page of open requests that begins after this one."""
    return _text(approval.deadline_at, approval.risk, approval.created_at, approval.pk)


def read(cursor: str) -> approvals.Mark | None:
    """Where the page of open requests begins; None: with the first. Raises InvalidInput."""
    return _read(cursor, _open_mark)


def after_decision(approval: Approval) -> str:
    """The cursor of the page of decided requests that begins after this one."""
    return _text(approval.decided_at, approval.pk)


def read_decided(cursor: str) -> decisions.Mark | None:
    """Where the page of decided requests begins; None: with the newest decision. Raises InvalidInput."""
    return _read(cursor, _decided_mark)


def _open_mark(deadline: Any, risk: Any, created: Any, named: Any) -> approvals.Mark:
    return approvals.Mark(_moment(deadline) if deadline else None, Risk(risk), _moment(created), UUID(named))


def _decided_mark(decided: Any, named: Any) -> decisions.Mark:
    return decisions.Mark(_moment(decided), UUID(named))


def _text(*at: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(at)).decode().rstrip("=")


def _read(cursor: str, mark: Callable[..., MarkT]) -> MarkT | None:
    if not cursor:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return mark(*orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True)))
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        raise InvalidInput(fields={"cursor": "This is no cursor of this list."}) from None


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at.astimezone(UTC)  # PostgreSQL does not take every zone
