"""From what went wrong to what a person sees: one middleware, the error pages. Programs are told it as JSON."""

import json
import sys
from collections.abc import Callable, Mapping

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from agents.errors import DomainError
from orchestrator import statuses
from orchestrator.statuses import CODES, RETRY_SECONDS, is_for_api, status_of

HEADINGS: Mapping[int, str] = {
    400: "The request could not be read",
    403: "Not allowed",
    404: "There is no such page",
    409: "This has changed meanwhile",
    422: "That does not fit",
    500: "Something broke on our side",
    503: "The database does not answer",
}


class DomainErrors:
    """Middleware: a broken rule that no view has caught becomes a page, or a notice where htmx asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Django's protocol of middleware."""
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing to do on the way in."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The answer to a DomainError; anything else goes on to Django."""
        if not isinstance(error, DomainError):
            return None
        status = status_of(error)
        if request.headers.get("HX-Request"):
            response = HttpResponse(status=status)
            response["HX-Reswap"] = "none"
            response["HX-Trigger"] = json.dumps({"notice": str(error)})
            return response
        return page(request, status, str(error))


def page(request: HttpRequest, status: int, message: str) -> HttpResponse:
    """An error page. It reads nothing from the database, which may be what is broken."""
    if is_for_api(request):
        return statuses.refusal(status, CODES[status], message)
    heading = HEADINGS.get(status, HEADINGS[400])
    return render(request, "error.html", {"status": int(status), "heading": heading, "message": message}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler of 400."""
    return page(request, 400, "Go back and try again.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler of 403."""
    return page(request, 403, "Your role does not allow this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler of 404."""
    return page(request, 404, "It was never here, or it belongs to a project that you are not in.")


def broken(request: HttpRequest) -> HttpResponse:
    """Django's handler of 500. A database that is away is no fault to report: the page tries again by itself."""
    if isinstance(sys.exception(), (InterfaceError, OperationalError)):
        return _unavailable(request)
    return page(request, 500, "It was written down for whoever runs this instance. What you saw before still stands.")


def _unavailable(request: HttpRequest) -> HttpResponse:
    if is_for_api(request):
        return statuses.unavailable()
    if request.method in {"GET", "HEAD"}:
        response = page(request, 503, "This page tries again every few seconds. What was confirmed is not lost.")
        response["Refresh"] = str(RETRY_SECONDS)
    else:
        response = page(
            request, 503, "Go back: what you typed is still there. See whether it was taken, then send again."
        )
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def csrf(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's answer to a form without a valid token."""
    return page(
        request,
        403,
        "The form is too old, or cookies are off in this browser. Nothing was changed. Go back, reload, send it again.",
    )
