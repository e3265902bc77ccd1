"""Being away: who decides in place of whom, now and later."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from agents import access
from agents.errors import Forbidden, InvalidInput, InvalidTransition
from agents.ids import new_id
from agents.models import Absence
from agents.roles import Role
from agents.selectors import absences as selectors
from agents.selectors import people
from agents.selectors.absences import Away
from orchestrator.actions import absences
from orchestrator.statuses import status_of
from orchestrator.web import absence_words
from orchestrator.web.absence_form import AbsenceForm
from orchestrator.web.chrome import Chrome, enter, person
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """What holds, and the form of a new absence. What does not go through keeps everything that was typed."""
    if request.method != "POST":
        return _page(request, enter(request), AbsenceForm())
    # the project that the form was opened in: another tab may have gone over to another one
    chrome = enter(request, access.project_for(person(request), parse_id(request.POST.get("project", ""))).pk)
    form = AbsenceForm.sent(request.POST)
    try:
        made = absences.begin(chrome.user, chrome.project.pk, **form.read())
    except (InvalidInput, Forbidden) as error:
        form.errors = error.data.get("fields") or {"": str(error)}
        return _page(request, chrome, form, status=status_of(error))
    _tell(request, chrome, made)
    return redirect("away")


def _tell(request: HttpRequest, chrome: Chrome, made: Absence) -> None:
    """Say what has been arranged, and what does not go without saying about it."""
    found = selectors.known(chrome.project.pk, people.deciders(chrome.project.pk))
    for one in found:
        if one.absence.pk == made.pk:
            messages.success(request, absence_words.begun(one, chrome.user))


@require_POST
def end(request: HttpRequest, absence_id: UUID) -> HttpResponse:
    """End an absence now, and go back."""
    try:
        ended = absences.end(person(request), absence_id)
    except InvalidTransition as error:
        messages.info(request, str(error))
    else:
        messages.success(request, f"{ended.stand_in.get_username()} does not stand in any more.")
    return redirect("away")


def _page(request: HttpRequest, chrome: Chrome, form: AbsenceForm, status: int = HTTPStatus.OK) -> HttpResponse:
    members = people.deciders(chrome.project.pk)
    found = selectors.known(chrome.project.pk, members)
    mine = chrome.user.pk
    others = [one for one in found if mine not in (one.absence.user_id, one.absence.stand_in_id)]
    context: dict[str, Any] = {
        "section": "away",
        "mine": _told([one for one in found if one.absence.user_id == mine], chrome),
        "stood_in": _told([one for one in found if one.absence.stand_in_id == mine], chrome),
        "others": _told(others, chrome) if chrome.role is Role.ADMIN else [],
        "is_admin": chrome.role is Role.ADMIN,
        "people": [(str(one.user_id), one.user.get_username()) for one in members if one.user_id != mine],
        "may_begin": len(members) > 1 and chrome.may_decide,
        "form": form,
        "key": form.given.get("key") or new_id(),
        "now": timezone.now(),
    }
    return render_page(request, "away/page.html", context, status=status)


def _told(found: list[Away], chrome: Chrome) -> list[dict[str, Any]]:
    return [{"away": one, "notes": absence_words.notes(one, chrome.user)} for one in found]
