"""Steering agents: pause, resume, retry, put first, tell, signal, stop."""

from collections.abc import Callable, Mapping
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents import access
from agents.errors import InvalidInput, NotFound
from agents.models import AgentSession, User
from agents.outcomes import Outcome
from orchestrator.actions import agents, signals
from orchestrator.actions.json_text import parse_json
from orchestrator.web import control_words
from orchestrator.web.chrome import person
from orchestrator.web.forms import parse_id


def _pause(user: User, session_id: UUID, form: QueryDict) -> list[Outcome]:
    return agents.pause(user, session_id, reason=form.get("reason", ""), below=form.get("scope") != "one")


def _resume(user: User, session_id: UUID, form: QueryDict) -> list[Outcome]:
    return agents.resume(user, session_id, below=form.get("scope") != "one")


def _retry(user: User, session_id: UUID, form: QueryDict) -> list[Outcome]:
    below, from_start = form.get("scope") == "below", form.get("from") == "start"
    return agents.retry(user, session_id, below=below, from_start=from_start)


def _prioritise(user: User, session_id: UUID, form: QueryDict) -> list[Outcome]:
    try:
        priority = int(form.get("priority", ""))
    except ValueError:
        raise InvalidInput("A priority is a whole number.") from None
    return agents.prioritise(user, session_id, priority=priority, below=form.get("scope") != "one")


def _tell(user: User, session_id: UUID, form: QueryDict) -> list[Outcome]:
    given = form.get("telling", "")
    telling = parse_id(given) if given else None
    below = form.get("scope") == "below"
    return agents.tell(user, session_id, text=form.get("text", ""), below=below, telling_id=telling)


def _cancel(user: User, session_id: UUID, form: QueryDict) -> list[Outcome]:
    return agents.cancel(user, session_id, reason=form.get("reason", ""))


def _signal(user: User, session: AgentSession, form: QueryDict) -> str:
    name, given = form.get("name", ""), form.get("signal", "")
    try:
        payload = parse_json(form.get("payload", "").strip() or "null")
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    signals.send(user, session.root_id, name, payload, signal_id=parse_id(given) if given else None)
    return f"The signal {name} is sent."


_ACTS: Mapping[str, Callable[[User, UUID, QueryDict], list[Outcome]]] = {
    "pause": _pause,
    "resume": _resume,
    "retry": _retry,
    "prioritise": _prioritise,
    "tell": _tell,
    "cancel": _cancel,
}


@require_POST
def steer(request: HttpRequest, session_id: UUID, verb: str) -> HttpResponse:
    """Do it, say for how many, and go back to where the button was."""
    user = person(request)
    session = access.session_for(user, session_id)
    if verb == "signal":
        told = _signal(user, session, request.POST)
    elif verb in _ACTS:
        told = control_words.told(verb, _ACTS[verb](user, session_id, request.POST))
    else:
        raise NotFound
    messages.success(request, told)
    if request.POST.get("back") == "session":
        return redirect("session", session.pk)
    return redirect(f"{reverse('mission', args=[session.root_id])}?agent={session.pk}")
