"""One agent: its checkpoints, its state at one of them, what it said and used."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_POST, require_safe

from agents import access
from agents.errors import InvalidInput, NotFound
from agents.lifecycle import RewindKind
from agents.models import AgentSession
from agents.selectors import activity, rewinds, sessions, standing
from orchestrator import health
from orchestrator.actions import checkpoint_names, time_travel
from orchestrator.web import asks, effect_form, state_tree, steering
from orchestrator.web.chrome import enter_for, person
from orchestrator.web.history import History
from orchestrator.web.render import render_page
from orchestrator.web.state_values import as_json

REGIONS = ("head", "asks", "holds", "checkpoints", "state", "changes", "step", "effects", "said", "used", "happened")


@require_safe
def show(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """The agent's page; its query is `History`'s."""
    _, session = enter_for(request, access.session_for, session_id)
    return page(request, session, History(session, request.GET.dict()))


def page(
    request: HttpRequest, session: AgentSession, history: History, *, status: int = 200, **more: Any
) -> HttpResponse:
    """The page, whole or in parts; `more` is what a form on it said in vain."""
    context: dict[str, Any] = {
        "section": "missions",
        "session": session,
        "parent": SimpleLazyObject(lambda: session.parent),
        "waiting": SimpleLazyObject(lambda: standing.waiting([session]).get(session.pk)),
        "unheard": SimpleLazyObject(health.unheard),
        "history": history,
        "verbs": SimpleLazyObject(lambda: steering.rewinds(session, history, request.chrome)),  # type: ignore[attr-defined]
        "controls": SimpleLazyObject(lambda: steering.verbs(session, request.chrome)),  # type: ignore[attr-defined]
        "asks": SimpleLazyObject(lambda: asks.of(session, request.chrome)),  # type: ignore[attr-defined]
        "holds": SimpleLazyObject(partial(rewinds.holding, session)),
        "forks": SimpleLazyObject(partial(rewinds.forks, session)),
        "effects": SimpleLazyObject(partial(_effects, request, session, history)),
        "happenings": SimpleLazyObject(partial(activity.of_session, session)),
        "said": SimpleLazyObject(partial(sessions.said, session.pk)),
        "executions": SimpleLazyObject(partial(sessions.tool_calls, session.pk)),
        **more,
    }
    target = getattr(request, "htmx", None) and request.htmx.target  # type: ignore[attr-defined]
    response = render_page(
        request,
        "sessions/page.html",
        context,
        partial="steps" if target == "steps" else "",
        regions=REGIONS,
        status=status,
    )
    if target == "steps":
        response["HX-Push-Url"] = f"{reverse('session', args=[session.pk])}{history.address}"
    return response


def _effects(request: HttpRequest, session: AgentSession, history: History) -> list[effect_form.EffectField]:
    if history.selected is None:
        return []
    found = time_travel.side_effects(person(request), session.pk, history.selected.checkpoint_id)
    return effect_form.fields(found, RewindKind.REPLAY)


@require_safe
def state(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Rows below one of the state's: ?path= as the row gives it, ?from= the place of the first."""
    session = access.session_for(person(request), session_id)
    start = request.GET.get("from", "0")
    if not start.isdecimal() or len(start) > 9:
        raise NotFound
    path = state_tree.path_of(request.GET.get("path", ""))
    rows = History(session, request.GET.dict()).children(path, int(start))
    return render(request, "sessions/_rows.html", {"rows": rows})


@require_safe
def state_json(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """A state as JSON, to read. Raises NotFound for one that is not there or cannot be shown."""
    session = access.session_for(person(request), session_id)
    history = History(session, request.GET.dict())
    if history.is_gone or history.selected is None or history.state.fault:
        raise NotFound
    response = HttpResponse(as_json(history.state.values), content_type="application/json")
    response["Content-Disposition"] = f'inline; filename="state-{history.selected.number}.json"'
    response["Content-Security-Policy"] = "default-src 'none'"
    return response


@require_POST
def name(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Name the checkpoint that the form was opened at, or take its name away."""
    _, session = enter_for(request, access.session_for, session_id)
    history = History(session, request.POST.dict())
    if history.is_latest or history.is_gone or history.selected is None:
        raise NotFound
    given = "" if request.POST.get("do") == "remove" else request.POST.get("name", "")
    try:
        checkpoint_names.give(person(request), session.pk, history.selected.checkpoint_id, name=given)
    except InvalidInput as error:
        return page(request, session, history, status=422, name_error=error.data["fields"]["name"], given_name=given)
    return redirect(f"{reverse('session', args=[session.pk])}{history.address}")
