"""A person's API tokens: made, shown once, listed, revoked."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from agents.errors import InvalidInput, InvalidTransition
from agents.ids import new_id
from agents.selectors import tokens as selectors
from orchestrator.actions import tokens
from orchestrator.statuses import status_of
from orchestrator.web.chrome import enter, person
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page

DAY = 86_400
LIVES: Mapping[str, tuple[str, int | None]] = {
    "7": ("7 days", 7 * DAY),
    "30": ("30 days", 30 * DAY),
    "90": ("90 days", 90 * DAY),
    "365": ("A year", 365 * DAY),
    "": ("Until I revoke it", None),
}
USUAL = "30"


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """The tokens of whoever looks, and the form of a new one. A new one's text is in the answer, and nowhere else."""
    if request.method != "POST":
        return _page(request)
    form = request.POST
    try:
        made, text = tokens.make(
            person(request), name=form.get("name", ""), seconds=_seconds(form), token_id=parse_id(form.get("id", ""))
        )
    except InvalidInput as error:
        return _page(request, form, errors=error.data["fields"], status=status_of(error))
    return _page(request, made=made, text=text)


def _seconds(form: QueryDict) -> int | None:
    life = LIVES.get(form.get("lasts", USUAL))
    if life is None:
        raise InvalidInput(fields={"lasts": "Choose how long it holds."})
    return life[1]


@require_POST
def revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Let one do nothing any more, and show the others."""
    try:
        token = tokens.revoke(person(request), token_id)
    except InvalidTransition as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"“{token.name}” lets nobody in any more.")
    return redirect("tokens")


def _page(
    request: HttpRequest,
    form: Mapping[str, Any] | None = None,
    *,
    errors: Mapping[str, str] | None = None,
    status: int = HTTPStatus.OK,
    **shown: Any,
) -> HttpResponse:
    enter(request)
    given = form or {}
    context = {
        "tokens": selectors.in_force(person(request)),
        "past": selectors.past(person(request)),
        "name": given.get("name", ""),
        "lasts": given.get("lasts", USUAL),
        "lives": [(value, words) for value, (words, _) in LIVES.items()],
        "errors": errors or {},
        "id": new_id(),
        **shown,
    }
    response = render_page(request, "account/tokens.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response
