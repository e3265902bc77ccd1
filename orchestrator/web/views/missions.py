"""Missions: all of them, and one, live."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_POST, require_safe

from agents import access
from agents.models import AgentSession, ModelCall
from agents.selectors import activity, budgets, missions, reuse, sessions
from agents.selectors.missions import AgentRow, Tallies, Tree
from agents.selectors.standing import Standing
from memory.models import MissionSource
from orchestrator import health
from orchestrator.actions import missions as actions
from orchestrator.web import asks, reports, steering
from orchestrator.web import limits as limit_form
from orchestrator.web.chrome import Chrome, enter, enter_for, person
from orchestrator.web.drawing import Axis
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page

REGIONS = ("head", "facts", "agents", "inspector", "details", "feed")
HAPPENINGS, MOST_HAPPENINGS = 20, 300
TABS = ("activity", "messages", "tools", "sources", "result")


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All missions of the project."""
    chrome = enter(request)
    context = {
        "section": "missions",
        "lines": SimpleLazyObject(partial(missions.lines, chrome.project.pk, limit=200)),
    }
    return render_page(request, "missions/index.html", context, regions=("missions",))


@require_safe
def show(request: HttpRequest, mission_id: UUID) -> HttpResponse:
    """One mission: its agents as a tree beside their time, the selected agent, what happened."""
    chrome, mission = enter_for(request, access.mission_for, mission_id)
    context = _context(request, mission, chrome)
    target = getattr(request, "htmx", None) and request.htmx.target  # type: ignore[attr-defined]
    return render_page(
        request,
        "missions/page.html",
        context,
        partial=target if target in REGIONS else "",
        regions=REGIONS,
        pieces={"agent": ("missions/_agent.html", partial(_piece, context))},
    )


@require_POST
def limits(request: HttpRequest, mission_id: UUID) -> HttpResponse:
    """Set a mission's budget and deadline."""
    given, minutes = limit_form.read(request.POST.dict())
    actions.set_limits(person(request), mission_id, given, minutes=minutes)
    messages.success(request, "The limits are set.")
    return redirect("mission", mission_id)


def _context(request: HttpRequest, mission: AgentSession, chrome: Chrome) -> dict[str, Any]:
    whole = request.GET.get("all") == "1"
    tree: Any = SimpleLazyObject(lambda: missions.tree(mission, whole=whole))
    tab = request.GET.get("tab", "")
    selected: Any = SimpleLazyObject(lambda: _selected(tree, request.GET.get("agent", "")))
    return {
        "section": "missions",
        "mission": mission,
        "tree": tree,
        "axis": SimpleLazyObject(lambda: Axis.of(tree)),
        "unheard": SimpleLazyObject(health.unheard),
        "selected": selected,
        "verbs": SimpleLazyObject(lambda: steering.verbs(selected.session, chrome)),
        "mission_verbs": SimpleLazyObject(lambda: steering.verbs(mission, chrome)),
        "asks": SimpleLazyObject(lambda: asks.of(selected.session, chrome)),
        "budget": (spent := SimpleLazyObject(lambda: budgets.lines(mission))),
        "limit_fields": SimpleLazyObject(lambda: limit_form.fields_of(spent)),  # type: ignore[arg-type]  # a lazy list
        "usage": SimpleLazyObject(lambda: missions.usage(ModelCall.objects.filter(session__root=mission))),
        "saved": SimpleLazyObject(lambda: reuse.by_mission(mission.pk)),
        "batched": SimpleLazyObject(lambda: reuse.batched_in_mission(mission.pk)),
        "tab": tab if tab in TABS else "result" if mission.status == "succeeded" and not tab else "activity",
        **_details(mission, more=request.GET.get("more") == "1"),
    }


def _details(mission: AgentSession, *, more: bool) -> Mapping[str, Any]:
    reads: Mapping[str, Callable[[], Any]] = {
        "happenings": lambda: activity.of_mission(mission.pk, limit=MOST_HAPPENINGS if more else HAPPENINGS),
        "messages_said": lambda: sessions.mission_said(mission.pk),
        "executions": lambda: missions.tool_calls(mission.pk),
        "tabs": lambda: _tabs(missions.tallies(mission.pk)),
        "sources": lambda: list(MissionSource.objects.of_mission(mission.origin_id)),
        "result": lambda: reports.result_of(mission),
    }
    return {name: SimpleLazyObject(read) for name, read in reads.items()}


def _tabs(tallies: Tallies) -> list[tuple[str, str, int | None]]:
    counted = {"messages": tallies.messages, "tools": tallies.tools}
    return [(name, name.capitalize(), counted.get(name)) for name in TABS]


def _selected(tree: Tree, wanted: str) -> AgentRow:
    """The agent that the address names, or who needs a person, or the mission's own."""
    named = tree.row(parse_id(wanted)) if wanted else None
    asking = next((row for row in tree.rows if row.standing is Standing.HUMAN), None)
    return named or asking or tree.rows[0]


def _piece(context: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    row = context["tree"].row(parse_id(key))
    return {"row": row} if row else None
