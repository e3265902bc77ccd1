"""Webhooks of a project: all of them, a new one, one with what was sent to it."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents import access
from agents.errors import DomainError, InvalidInput, InvalidTransition, StaleVersion
from agents.ids import new_id
from agents.models import Webhook
from agents.roles import Role
from agents.selectors import notifications as selectors
from agents.words import OCCASIONS, Occasion
from orchestrator.actions import webhooks
from orchestrator.actions.webhooks import Made, Wanted
from orchestrator.statuses import status_of
from orchestrator.web.chrome import enter, person
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page

SHOWN = 100
WORDS = {
    Occasion.ASKED: "A request waits for a role",
    Occasion.ASSIGNED: "A request is for one person",
    Occasion.REMINDED: "A request still waits",
    Occasion.ESCALATED: "A request was escalated",
    Occasion.NEARLY_DUE: "Its deadline is near",
    Occasion.EXPIRED: "Its deadline passed",
    Occasion.DECIDED: "A request was decided",
}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All of the project, to its admins."""
    chrome = enter(request)
    access.project_for(chrome.user, chrome.project.pk, role=Role.ADMIN)
    context = {"section": "notifications", "webhooks": selectors.webhooks(chrome.project.pk)}
    return render_page(request, "webhooks/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form of a new one, and then its secret, once."""
    if request.method != "POST":
        chrome = enter(request)
        access.project_for(chrome.user, chrome.project.pk, role=Role.ADMIN)
        return _form_page(request, Wanted("", "", OCCASIONS), str(new_id()))
    # the project that the form was opened in: another tab may have gone over to another one
    project = access.project_for(person(request), parse_id(request.POST.get("project", "")), role=Role.ADMIN)
    enter(request, project.pk)
    wanted, webhook_id = _wanted(request.POST), parse_id(request.POST.get("webhook", ""))
    try:
        made = webhooks.make(person(request), project.pk, webhook_id, wanted)
    except InvalidTransition as error:
        messages.info(request, f"{error} Its secret was shown then; make a new one if you have not kept it.")
        return redirect("webhook", webhook_id)
    except InvalidInput as error:
        return _form_page(request, wanted, str(webhook_id), error)
    return _secret_page(request, made)


def _wanted(form: QueryDict) -> Wanted:
    name, url = form.get("name", "").strip(), form.get("url", "").strip()
    return Wanted(name, url, tuple(form.getlist("occasion")), form.get("with_arguments") == "on")


def _fields(wanted: Wanted, error: DomainError | None = None) -> dict[str, Any]:
    """What the form shows."""
    return {
        "wanted": wanted,
        "errors": (error.data.get("fields") or {"": str(error)}) if error else {},
        "occasions": [(str(one), WORDS[one], one in wanted.occasions) for one in OCCASIONS],
    }


def _form_page(
    request: HttpRequest, wanted: Wanted, webhook_id: str, error: InvalidInput | None = None
) -> HttpResponse:
    context = {"section": "notifications", "webhook_id": webhook_id, **_fields(wanted, error)}
    return render_page(request, "webhooks/new.html", context, status=status_of(error) if error else HTTPStatus.OK)


def _secret_page(request: HttpRequest, made: Made) -> HttpResponse:
    """The only page that shows a secret; nobody keeps it."""
    context = {"section": "notifications", "webhook": made.webhook, "secret": made.secret}
    response = render_page(request, "webhooks/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """What it is told, what was sent to it, and what can be changed of it."""
    if request.method != "POST":
        return _page(request, webhook_id)
    wanted = _wanted(request.POST)
    try:
        webhook = webhooks.change(person(request), webhook_id, wanted)
    except InvalidInput as error:
        return _page(request, webhook_id, wanted, error)
    messages.success(request, f"“{webhook.name}” is changed.")
    return redirect("webhook", webhook_id)


def _page(
    request: HttpRequest, webhook_id: UUID, wanted: Wanted | None = None, error: DomainError | None = None
) -> HttpResponse:
    webhook = access.webhook_for(person(request), webhook_id)
    enter(request, webhook.project_id)
    context = {
        "section": "notifications",
        "webhook": webhook,
        "log": selectors.log(webhook, SHOWN),
        "shown": SHOWN,
        "expected": webhooks.name_of_secret(webhook),
        **_fields(wanted or _as_wanted(webhook), error),
    }
    status = status_of(error) if error else HTTPStatus.OK
    return render_page(request, "webhooks/webhook.html", context, regions=("log",), status=status)


def _as_wanted(webhook: Webhook) -> Wanted:
    return Wanted(webhook.name, webhook.url, webhook.occasions, webhook.with_arguments)


@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Another secret, shown once. Its page is live, and asks here for its parts: that is the webhook's page."""
    if request.method != "POST":
        return _page(request, webhook_id)
    try:
        made = webhooks.rotate(person(request), webhook_id, expected=request.POST.get("expected", ""))
    except StaleVersion as error:
        return _page(request, webhook_id, error=error)
    enter(request, made.webhook.project_id)
    return _secret_page(request, made)


@require_POST
def remove(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Tell it nothing any more."""
    webhook = webhooks.remove(person(request), webhook_id)
    messages.success(request, f"“{webhook.name}” is told nothing any more.")
    return redirect("webhooks")


@require_POST
def send_test(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Send it a test."""
    try:
        webhooks.send_test(person(request), webhook_id)
    except InvalidTransition as error:
        return _page(request, webhook_id, error=error)
    messages.success(request, "A test is on its way; the log shows what comes of it.")
    return redirect("webhook", webhook_id)


@require_POST
def send_again(request: HttpRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    """Send it something once more."""
    try:
        webhooks.send_again(person(request), webhook_id, delivery_id)
    except InvalidTransition as error:
        return _page(request, webhook_id, error=error)
    messages.success(request, "It is sent again, under the same id.")
    return redirect("webhook", webhook_id)
