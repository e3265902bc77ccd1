"""Errors of calls to the outside, told apart by whether trying again may help."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from agents.errors import DomainError, NotBegun, Transient

_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
# Errors of a broken line in clients that have no status for it; named, for not every client is installed.
_BROKEN_LINES = frozenset(
    {
        ("httpx", "TransportError"),
        ("httpx2", "TransportError"),
        ("requests", "ConnectionError"),
        ("requests", "Timeout"),
    }
)
_CAUSES = 5  # how far down an error is looked for the one that it stands for


def is_passing(error: BaseException) -> bool:
    """May the same call work a little later? Time-outs, broken lines, 408, 425, 429 and 5xx but 501 are passing.

    What the rules do not allow, bad arguments and anything that nobody has thought of are not.
    """
    if isinstance(error, DomainError):
        return isinstance(error, Transient)
    return any(_is_passing(one) for one in _chain(error))


def is_down(error: BaseException) -> bool:
    """Does the error say that the other side is not working? One that has too much to do is."""
    return is_passing(error) and status_of(error) != HTTPStatus.TOO_MANY_REQUESTS


def may_repeat(error: BaseException, *, idempotent: bool) -> bool:
    """May a call that failed so be made again? One that must happen only once, if it had not begun."""
    return isinstance(error, NotBegun) or (idempotent and is_passing(error))


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of any client carries; None without one."""
    status: Any = getattr(error, "status_code", None)
    if status is None:
        status = getattr(getattr(error, "response", None), "status_code", None)
    if status is None:
        status = getattr(error, "code", None)  # urllib's
    return status if isinstance(status, int) else None


def asked_to_wait(error: BaseException) -> float:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); 0 without one."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or getattr(error, "headers", None) or {}
    value = str(headers.get("retry-after", "")).strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _is_passing(error: BaseException) -> bool:
    status = status_of(error)
    if status is not None:
        return status in _PASSING or (
            status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
        )
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    return isinstance(error, ConnectionError | TimeoutError) or bool(kinds & _BROKEN_LINES)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made from: clients wrap those of the line in errors of their own."""
    found: BaseException | None = error
    for _ in range(_CAUSES):
        if found is None:
            return
        yield found
        if status_of(found) is not None:
            return
        reason = getattr(found, "reason", None)  # urllib's
        found = reason if isinstance(reason, BaseException) else found.__cause__
