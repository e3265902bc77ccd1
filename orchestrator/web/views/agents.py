"""Steering agents: pause, resume, retry, stop."""

from collections.abc import Callable, Mapping
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents import access
from agents.errors import NotFound
from agents.models import User
from orchestrator.actions import agents
from orchestrator.web.chrome import person

_ACTS: Mapping[str, Callable[[User, UUID], object]] = {
    "pause": agents.pause,
    "resume": agents.resume,
    "retry": agents.retry,
    "cancel": agents.cancel,
}
_SAID = {
    "pause": "{} rests at its next checkpoint, with all below it.",
    "resume": "{} goes on, with all below it.",
    "retry": "{} is tried again.",
    "cancel": "{} stops, with all below it.",
}


@require_POST
def steer(request: HttpRequest, session_id: UUID, verb: str) -> HttpResponse:
    """Do it, and go back to the mission."""
    if verb not in _ACTS:
        raise NotFound
    session = access.session_for(person(request), session_id)
    _ACTS[verb](person(request), session_id)
    messages.success(request, _SAID[verb].format(session.name))
    return redirect(f"{reverse('mission', args=[session.root_id])}?agent={session.pk}")
