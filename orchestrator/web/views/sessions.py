"""One agent: its checkpoints, its state at one of them, what it said and used."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from agents import access
from agents.checkpoints.errors import StateDamaged
from agents.checkpoints.threads import config_of
from agents.models import AgentSession
from agents.selectors import sessions, standing
from agents.selectors.sessions import Checkpoint
from orchestrator import health
from orchestrator.runtime.saving import saver
from orchestrator.web import state_tree
from orchestrator.web.chrome import enter, person
from orchestrator.web.render import render_page

REGIONS = ("head", "checkpoints", "state", "said", "used")


@require_safe
def show(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """The agent's page; ?step=n looks at its nth checkpoint, else at the latest."""
    session = access.session_for(person(request), session_id)
    enter(request, session.project_id)
    listed = sessions.checkpoints(session.pk)
    selected = _selected(listed, request.GET.get("step", ""))
    context: dict[str, Any] = {
        "section": "missions",
        "session": session,
        "parent": SimpleLazyObject(lambda: session.parent),
        "waiting": SimpleLazyObject(lambda: standing.waiting([session]).get(session.pk)),
        "unheard": SimpleLazyObject(health.unheard),
        "checkpoints": listed,
        "selected": selected,
        "last_number": max(len(listed) - 1, 0),
        "is_latest": "step" not in request.GET,
        "state": SimpleLazyObject(lambda: _state(session, selected)),
        "said": SimpleLazyObject(partial(sessions.said, session.pk)),
        "executions": SimpleLazyObject(partial(sessions.tool_calls, session.pk)),
    }
    target = getattr(request, "htmx", None) and request.htmx.target  # type: ignore[attr-defined]
    return render_page(
        request,
        "sessions/page.html",
        context,
        partial="steps" if target == "steps" else "",
        regions=REGIONS,
    )


def _selected(listed: Sequence[Checkpoint], wanted: str) -> Checkpoint | None:
    if not listed:
        return None
    number = int(wanted) if wanted.isdecimal() else len(listed) - 1
    return listed[min(number, len(listed) - 1)]


def _state(session: AgentSession, selected: Checkpoint | None) -> dict[str, Any]:
    """The rows of the state, or why there are none."""
    if selected is None:
        return {"rows": [], "fault": ""}
    try:
        found = saver().get_tuple(config_of(session.thread_id or str(session.pk), "", selected.checkpoint_id))
    except StateDamaged as error:
        return {"rows": [], "fault": str(error)}
    values = found.checkpoint["channel_values"] if found else {}
    shown = {name: value for name, value in values.items() if not name.startswith(("__", "branch:"))}
    return {"rows": state_tree.rows(shown), "fault": ""}
