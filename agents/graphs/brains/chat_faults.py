"""What can go wrong in one try of a model call, told apart by what has to be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus


class Kind(StrEnum):
    """What went wrong. The value says it, after "The model x at y"."""

    KEY = "refused the key"
    UNKNOWN = "is not known there"
    REFUSED = "refused the request"
    TOO_LONG = "cannot read that much at once"
    QUOTA = "has no quota left"
    BUSY = "has too many requests"
    BROKEN = "failed"
    SLOW = "did not answer in time"
    UNREACHABLE = "cannot be reached, or the connection broke"
    GARBLED = "sent what cannot be read"
    MISFIT = "answered in another form than asked"


ADVICE: Mapping[Kind, str] = {
    Kind.KEY: "Check the model's key, and that it may use this model.",
    Kind.UNKNOWN: "Check the model's name, and that the address is the one of its API.",
    Kind.REFUSED: "Check that the model is a chat model.",
    Kind.TOO_LONG: "Take a model with a larger context.",
    Kind.QUOTA: "Top up the account, or take another model.",
    Kind.BUSY: "Try again later, or run fewer agents at once.",
    Kind.BROKEN: "Try again later.",
    Kind.SLOW: "Try again later, or allow more time.",
    Kind.UNREACHABLE: "Check that the server runs and that the address is right.",
    Kind.GARBLED: "Check that the address is the one of its API.",
    Kind.MISFIT: "Take a model that follows instructions better.",
}
PASSING = frozenset({Kind.BUSY, Kind.BROKEN, Kind.SLOW, Kind.UNREACHABLE, Kind.GARBLED, Kind.MISFIT})
DOWN = frozenset({Kind.BROKEN, Kind.SLOW, Kind.UNREACHABLE, Kind.GARBLED})  # the server is not working
MISBEHAVIOUR = frozenset({Kind.GARBLED, Kind.MISFIT})

_BY_STATUS: Mapping[int, Kind] = {
    HTTPStatus.UNAUTHORIZED: Kind.KEY,
    HTTPStatus.FORBIDDEN: Kind.KEY,
    HTTPStatus.NOT_FOUND: Kind.UNKNOWN,
    HTTPStatus.REQUEST_TIMEOUT: Kind.SLOW,
    HTTPStatus.TOO_MANY_REQUESTS: Kind.BUSY,
    HTTPStatus.NOT_IMPLEMENTED: Kind.REFUSED,
}
# Codes of OpenAI's protocol that say more than the status, such as a 429 that no waiting cures.
_BY_CODE: Mapping[str, Kind] = {
    "insufficient_quota": Kind.QUOTA,
    "context_length_exceeded": Kind.TOO_LONG,
}


class Fault(Exception):
    """One try failed. `wait` is in seconds, as the server asked; `said` is the answer that did not fit.

    `unspoken`: the answer did not use the way that was asked for, so the server may not know it.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        status: int | None = None,
        wait: float = 0,
        said: str | None = None,
        unspoken: bool = False,
    ) -> None:
        """Keep what is known; `detail` is for people and must hold no secret."""
        self.kind = kind
        self.detail = detail
        self.status = status
        self.wait = wait
        self.said = said
        self.unspoken = unspoken
        super().__init__(kind, detail, status)

    def __str__(self) -> str:
        """The fault as part of a sentence, with its status and what the server said."""
        status = f" ({self.status})" if self.status else ""
        return f"{self.kind}{status}" + (f": {self.detail.rstrip('.')}" if self.detail else "")


def fault_of(error: Exception) -> Fault:
    """The fault that `error`, from whatever package speaks to the provider, stands for."""
    from langchain_core.exceptions import ContextOverflowError, ModelTimeoutError

    status = _status(error)
    if isinstance(error, ContextOverflowError):
        return Fault(Kind.TOO_LONG, status=status)
    if status is not None:
        return _fault_of_status(error, status)
    if isinstance(error, TimeoutError | ModelTimeoutError):
        return Fault(Kind.SLOW)
    if isinstance(error, OSError) or getattr(error, "is_retryable", False):
        return Fault(Kind.UNREACHABLE)
    return Fault(Kind.GARBLED, " ".join(f"{type(error).__name__}: {error}".split()))


def _fault_of_status(error: Exception, status: int) -> Fault:
    code = getattr(error, "code", None)
    if isinstance(code, str) and code in _BY_CODE:
        return Fault(_BY_CODE[code], status=status)
    otherwise = Kind.BROKEN if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Kind.REFUSED
    kind = _BY_STATUS.get(status, otherwise)
    detail = _server_words(error) if kind in {Kind.REFUSED, Kind.BROKEN} else ""
    return Fault(kind, detail, status=status, wait=_retry_after(error))


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST else None


def _server_words(error: Exception) -> str:
    """The message in the body of an error, as OpenAI's protocol has it; '' where there is none."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, Mapping) else body
    return " ".join(message.split()) if isinstance(message, str) else ""


def _retry_after(error: Exception) -> float:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: seconds or a date); 0 where it does not."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    value = str(headers.get("retry-after", "")).strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
