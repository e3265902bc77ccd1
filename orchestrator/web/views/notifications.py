"""What a person is told: the choices, this browser, and what an open page shows."""

from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents import access
from agents.errors import InvalidInput
from agents.selectors import notifications as selectors
from agents.words import OCCASIONS, Channel, Occasion
from orchestrator.actions import notices
from orchestrator.env import BASE_DIR
from orchestrator.statuses import status_of
from orchestrator.web.chrome import IS_TOLD, Chrome, enter, person
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page

SUBSCRIPTION = "push"  # key in the person's session
WORKER = Path(BASE_DIR) / "static" / "queenright" / "notices-worker.js"
WORDS = {
    Occasion.ASKED: ("A request waits for your role", "An agent asks, and you may decide it."),
    Occasion.ASSIGNED: ("A request is for you", "Its policy or a person names you."),
    Occasion.REMINDED: ("A request still waits", "As often as its policy plans."),
    Occasion.ESCALATED: ("A request was escalated to you", "Nobody before you decided it."),
    Occasion.NEARLY_DUE: ("Its deadline is near", "A quarter of its time is left, fifteen minutes at most."),
    Occasion.EXPIRED: ("Its deadline passed", "What its policy says for that has happened."),
    Occasion.DECIDED: ("A request was decided", "Of a mission of yours, or one that you took part in."),
}
CHANNELS = (Channel.BROWSER, Channel.MAIL)


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """The choices for one project."""
    if request.method != "POST":
        chrome = enter(request)
        known = selectors.chosen(chrome.user, chrome.project.pk)
        return _page(request, chrome, known, notices.address_of(chrome.user))
    # the project that the form was opened in: another tab may have gone over to another one
    project = access.project_for(person(request), parse_id(request.POST.get("project", "")))
    chrome = enter(request, project.pk)
    chosen = {(channel, occasion) for channel in CHANNELS for occasion in request.POST.getlist(channel)}
    address = request.POST.get("address", "")
    try:
        notices.choose(chrome.user, project.pk, chosen, address=address)
    except InvalidInput as error:
        return _page(request, chrome, {(str(a), str(b)) for a, b in chosen}, address, error)
    messages.success(request, "Kept. You are told of what you chose from now on.")
    return redirect("notifications")


def _page(
    request: HttpRequest,
    chrome: Chrome,
    chosen: set[tuple[str, str]],
    address: str,
    error: InvalidInput | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "section": "notifications",
        "rows": [
            {
                "occasion": one,
                "words": WORDS[one],
                "cells": [(str(by), (str(by), str(one)) in chosen) for by in CHANNELS],
            }
            for one in OCCASIONS
        ],
        "address": address,
        "errors": (error.data.get("fields") or {"": str(error)}) if error else {},
        "has_mail": notices.has_mail(),
        "push_key": notices.push_key(),
        "browsers": selectors.browsers(chrome.user),
        "is_told": bool(request.session.get(IS_TOLD)),
    }
    status = status_of(error) if error else HTTPStatus.OK
    return render_page(request, "notifications/page.html", context, status=status)


def _cells(occasion: Occasion, chosen: set[tuple[str, str]]) -> list[tuple[str, bool]]:
    return [(str(by), (str(by), str(occasion)) in chosen) for by in CHANNELS]


@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """Tell this browser; without a push service only while a page is open."""
    form = request.POST
    if form.get("endpoint"):
        subscription = notices.subscribe(
            person(request), endpoint=form["endpoint"], key=form.get("key", ""), auth=form.get("auth", "")
        )
        request.session[SUBSCRIPTION] = str(subscription.pk)
    request.session[IS_TOLD] = True
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@require_POST
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """Tell this browser nothing any more."""
    _end(request)
    return redirect("notifications")


def _end(request: HttpRequest) -> None:
    request.session.pop(IS_TOLD, None)
    if known := request.session.pop(SUBSCRIPTION, ""):
        notices.unsubscribe(person(request), UUID(known))


class Logout(LogoutView):
    """Signing out; this browser is told nothing from then on."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """First the subscription, while it is known whose it is."""
        if request.user.is_authenticated:
            _end(request)
        return super().post(request, *args, **kwargs)


@require_safe
@never_cache
def said(request: HttpRequest) -> HttpResponse:
    """What an open page is to show of something that it heard of; 204: nothing."""
    told = notices.told_in_page(person(request), parse_id(request.GET.get("request", "")), request.GET.get("type", ""))
    return JsonResponse(told) if told else HttpResponse(status=HTTPStatus.NO_CONTENT)


@require_safe
@login_not_required
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker, from the root, so that it serves all pages."""
    response = HttpResponse(WORKER.read_bytes(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    response["Service-Worker-Allowed"] = "/"
    return response
