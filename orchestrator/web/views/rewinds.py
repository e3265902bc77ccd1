"""Editing, forking, replaying and rolling back an agent: what will happen first, then the deed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_http_methods, require_POST

from agents import access
from agents.errors import DomainError, InvalidInput, InvalidTransition, NotFound, StaleVersion, UndoFailed
from agents.ids import new_id
from agents.lifecycle import Choice, RewindKind
from agents.models import AgentSession, Rewind
from agents.selectors.sessions import Checkpoint
from orchestrator.actions import time_travel
from orchestrator.runtime import states
from orchestrator.runtime.agent_types import agent_type
from orchestrator.runtime.states import Change
from orchestrator.statuses import status_of
from orchestrator.web import effect_form, rewind_words
from orchestrator.web.chrome import Chrome, enter_for, person
from orchestrator.web.forms import parse_id
from orchestrator.web.history import History
from orchestrator.web.render import render_page
from orchestrator.web.state_form import StateForm
from orchestrator.web.views import sessions

_WITH_FORM = (RewindKind.EDIT, RewindKind.FORK)
_ALL = "all-"  # of a button that makes one choice for each call
_CONFLICTS = (StaleVersion, InvalidTransition, UndoFailed)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a person looks at, has typed and chosen, and what came of it."""

    kind: RewindKind
    history: History
    form: StateForm | None
    chosen: Mapping[UUID, Choice] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    conflict: DomainError | None = None
    is_checked: bool = False

    @property
    def at(self) -> Checkpoint:
        """The checkpoint that it starts from."""
        assert self.history.selected is not None  # noqa: S101  # narrows the type: `_attempt` has looked
        return self.history.selected

    @property
    def change(self) -> Change | None:
        """The values that were typed. Raises InvalidInput."""
        return self.form.change() if self.form and self.form.is_touched else None


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, session_id: UUID, kind: RewindKind) -> HttpResponse:
    """What will happen; by POST it does. Whatever does not go through keeps all that was typed and chosen."""
    chrome, session = enter_for(request, access.session_for, session_id)
    attempt = _attempt(request, session, kind)
    if request.method != "POST":
        return _page(request, session, chrome, attempt)
    if attempt.conflict:
        return _page(request, session, chrome, attempt, status=status_of(attempt.conflict))
    do = request.POST.get("do", "")
    if do.startswith(_ALL):
        same = effect_form.all_as(do.removeprefix(_ALL), _effects(request, session, attempt), kind)
        return _page(request, session, chrome, replace(attempt, chosen={**attempt.chosen, **same}))
    try:
        if do == "check":
            time_travel.check_edit(person(request), session.pk, attempt.at.checkpoint_id, attempt.change or Change())
            return _page(request, session, chrome, replace(attempt, is_checked=True))
        made = _do(request, session, attempt)
    except InvalidInput as error:
        told = _faults(request, session, attempt, error)
        return _page(request, session, chrome, told, status=status_of(error))
    except _CONFLICTS as error:
        return _page(request, session, chrome, _after(session, attempt, error), status=status_of(error))
    messages.success(request, rewind_words.did(kind, session, attempt.at))
    return redirect("session", made.pk)


def _attempt(request: HttpRequest, session: AgentSession, kind: RewindKind) -> Attempt:
    """Raises NotFound where there is nothing to look at, and for agents of a type that nothing here runs."""
    agent_type(session.agent_type)
    sent = request.POST.dict() if request.method == "POST" else None
    history = History(session, {"at": (sent or request.GET).get("at", "")})
    if kind is RewindKind.EDIT and not sent:
        history = _current(session)
    if history.selected is None or (history.is_gone and not sent):
        raise NotFound
    gone = StaleVersion("The checkpoint that you looked at has been removed since.") if history.is_gone else None
    form = StateForm(session.agent_type, history.state.values, sent) if kind in _WITH_FORM else None
    return Attempt(kind, history, form, effect_form.chosen_in(sent or {}), conflict=gone)


def _current(session: AgentSession) -> History:
    history = History(session, {})
    return History(session, {"at": str(history.current.checkpoint_id)}) if history.current else history


def _do(request: HttpRequest, session: AgentSession, attempt: Attempt) -> AgentSession:
    """Does it; the session to look at next."""
    user, at = person(request), attempt.at.checkpoint_id
    rewind_id, seen_id = (parse_id(request.POST.get(name, "")) for name in ("rewind", "seen"))
    change = attempt.change
    match attempt.kind:
        case RewindKind.EDIT:
            time_travel.edit(user, session.pk, change or Change(), rewind_id=rewind_id, seen_id=seen_id)
        case RewindKind.FORK:
            return time_travel.fork(user, session.pk, at, rewind_id=rewind_id, chosen=attempt.chosen, change=change)
        case RewindKind.REPLAY:
            time_travel.replay(user, session.pk, at, rewind_id=rewind_id, seen_id=seen_id, chosen=attempt.chosen)
        case RewindKind.ROLLBACK:
            time_travel.roll_back(user, session.pk, at, rewind_id=rewind_id, seen_id=seen_id, chosen=attempt.chosen)
    return session


def _faults(request: HttpRequest, session: AgentSession, attempt: Attempt, error: InvalidInput) -> Attempt:
    """The attempt with each fault beside its cause: those of the choices, and those of the values."""
    errors = dict(error.data.get("fields") or {"": str(error)})
    if attempt.form and attempt.form.is_touched and attempt.kind is RewindKind.FORK:
        try:
            change = attempt.change or Change()
            time_travel.check_edit(person(request), session.pk, attempt.at.checkpoint_id, change)
        except InvalidInput as fault:
            errors |= fault.data["fields"]
    calls = [effect.call.pk for effect in _effects(request, session, attempt)]
    errors |= {str(call): "Say what becomes of this one." for call in calls if call not in attempt.chosen}
    if attempt.form:
        attempt.form.tell({name: text for name, text in errors.items() if name not in map(str, calls)})
    return replace(attempt, errors=errors)


def _after(session: AgentSession, attempt: Attempt, error: DomainError) -> Attempt:
    """The attempt over what is there now: an edit is always one of the current state."""
    session.refresh_from_db()
    if attempt.kind is not RewindKind.EDIT or not isinstance(error, StaleVersion) or attempt.form is None:
        history = History(session, {"at": str(attempt.at.checkpoint_id)})
        return replace(attempt, history=attempt.history if history.is_gone else history, conflict=error)
    history = _current(session)
    form = attempt.form.over(session.agent_type, history.state.values)
    return replace(attempt, history=history, form=form, conflict=error)


def _effects(request: HttpRequest, session: AgentSession, attempt: Attempt) -> list[Any]:
    if attempt.kind is RewindKind.EDIT:
        return []
    return time_travel.side_effects(person(request), session.pk, attempt.at.checkpoint_id)


def _page(
    request: HttpRequest, session: AgentSession, chrome: Chrome, attempt: Attempt, *, status: int = 200
) -> HttpResponse:
    kind, history = attempt.kind, attempt.history
    current = history.current or attempt.at
    effects = _effects(request, session, attempt)
    context: dict[str, Any] = {
        "section": "missions",
        "session": session,
        "history": history,
        "at": attempt.at,
        "current": current,
        "kind": kind,
        "heading": rewind_words.heading(kind, session, attempt.at),
        "button": rewind_words.button(kind, attempt.at),
        "consequences": rewind_words.consequences(kind, session, attempt.at),
        "summed": effect_form.summed(effects),
        "effects": effect_form.fields(
            effects, kind, chosen=attempt.chosen, errors=attempt.errors, may_decide=chrome.may_decide
        ),
        "for_all": effect_form.for_all(effects, kind),
        "form": attempt.form,
        "is_checked": attempt.is_checked,
        "is_invalid": bool(attempt.errors),
        "conflict": attempt.conflict,
        "undone": SimpleLazyObject(partial(rewind_words.undone, attempt.conflict)),
        "why_not": _why_not(session, chrome, attempt),
        "lacks_tasks": SimpleLazyObject(lambda: _lacks_tasks(session, attempt)),
        "rewind_id": new_id(),
        "seen_id": current.checkpoint_id,
    }
    template = "sessions/edit.html" if kind is RewindKind.EDIT else "sessions/rewind.html"
    return render_page(request, template, context, status=status)


def _why_not(session: AgentSession, chrome: Chrome, attempt: Attempt) -> str:
    """Why the button is off; empty when it is on."""
    if not chrome.may_operate:
        return f"Your role here is {chrome.role}; operators change states."
    if attempt.history.state.fault:
        return f"This state cannot be used. {attempt.history.state.fault}"
    if attempt.kind is RewindKind.REPLAY and _lacks_tasks(session, attempt):
        return "Nothing is left to do in that state: choose an earlier one."
    return ""


def _lacks_tasks(session: AgentSession, attempt: Attempt) -> bool:
    if attempt.history.state.fault:
        return False
    return not states.has_tasks(session, attempt.at.checkpoint_id)


@require_POST
def go_on(request: HttpRequest, rewind_id: UUID) -> HttpResponse:
    """Finish a rewind whose process died."""
    return _end(request, rewind_id, is_given_up=False)


@require_POST
def give_up(request: HttpRequest, rewind_id: UUID) -> HttpResponse:
    """End a rewind whose process died, without a change of the state."""
    return _end(request, rewind_id, is_given_up=True)


def _end(request: HttpRequest, rewind_id: UUID, *, is_given_up: bool) -> HttpResponse:
    rewind = Rewind.objects.filter(pk=rewind_id).first()
    if rewind is None:
        raise NotFound
    _, session = enter_for(request, access.session_for, rewind.session_id)
    try:
        (time_travel.give_up if is_given_up else time_travel.go_on)(person(request), rewind_id)
    except _CONFLICTS as error:
        session.refresh_from_db()
        more = {"conflict": error, "undone": rewind_words.undone(error)}
        return sessions.page(request, session, History(session, {}), status=status_of(error), **more)
    said = "The rewind of {} was given up." if is_given_up else "The rewind of {} is done."
    messages.success(request, said.format(session.name))
    return redirect(reverse("session", args=[session.pk]))
