"""From what went wrong to what a client is told: one table of HTTP statuses, and the error as JSON."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, JsonResponse

from agents import errors
from agents.errors import DomainError

API = "/api/"
RETRY_SECONDS = 3


class Malformed(DomainError):
    """What was sent is no JSON that can be read."""

    code = "malformed"


class TooBig(DomainError):
    """What was sent is too big."""

    code = "too_big"


class MethodNotAllowed(DomainError):
    """This address does not take that method."""

    code = "method_not_allowed"


STATUSES: Mapping[type[DomainError], HTTPStatus] = {
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.AlreadyDecided: HTTPStatus.CONFLICT,
    errors.StaleVersion: HTTPStatus.CONFLICT,
    errors.InvalidTransition: HTTPStatus.CONFLICT,
    errors.UndoFailed: HTTPStatus.CONFLICT,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    TooBig: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
CODES: Mapping[int, str] = {
    400: Malformed.code,
    403: errors.Forbidden.code,
    404: errors.NotFound.code,
    500: "broken",
    503: "unavailable",
}
"""What a status is called where no rule was broken."""


def status_of(error: DomainError) -> HTTPStatus:
    """The HTTP status of a rule that was broken."""
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)


def is_for_api(request: HttpRequest) -> bool:
    """Does a program ask, which reads JSON and no pages?"""
    return request.path.startswith(API)


def told(error: DomainError) -> JsonResponse:
    """A broken rule as JSON. Its data may have messages by the names of fields, and what stands in the way."""
    conflict = error.data.get("conflict")
    status = status_of(error)
    response = refusal(
        status,
        error.code,
        str(error),
        fields=error.data.get("fields"),
        **({"conflict": conflict} if conflict else {}),
    )
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="Queenright"'
    return response


def refusal(
    status: int, code: str, message: str, *, fields: Mapping[str, str] | None = None, **more: Any
) -> JsonResponse:
    """An error as JSON. Nobody keeps it."""
    response = JsonResponse({"code": code, "message": message, "fields": dict(fields or {}), **more}, status=status)
    response["Cache-Control"] = "no-store"
    return response


def unavailable() -> JsonResponse:
    """The database is away: whoever asks may ask again."""
    message = "The database does not answer. See whether it was taken, then send it again with the same key."
    response = refusal(HTTPStatus.SERVICE_UNAVAILABLE, CODES[503], message)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response
