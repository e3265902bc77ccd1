"""The home page."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from agents.selectors import approvals, decisions, missions
from agents.selectors import now as selectors
from agents.selectors.standing import Standing
from orchestrator import health
from orchestrator.web.chrome import Chrome, enter
from orchestrator.web.render import render_page
from orchestrator.web.words import spelled

REGIONS = ("head", "counts", "agents", "waits", "missions", "spent", "decided", "health")
SHOWN_WAITS = 5


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """What stands where, what waits for me, missions in flight, queues and health."""
    chrome = enter(request)
    project = chrome.project.pk
    group = request.GET.get("status", "")
    chosen = Standing(group) if group in set(Standing) else None
    context: dict[str, Any] = {
        "section": "now",
        "chosen": chosen,
        "counts": SimpleLazyObject(partial(selectors.counts, project)),
        "waits": SimpleLazyObject(lambda: list(approvals.pending(project)[:SHOWN_WAITS])),
        "lines": SimpleLazyObject(partial(missions.lines, project, only_active=True)),
        "spent": SimpleLazyObject(partial(selectors.spent, project)),
        "decided": SimpleLazyObject(partial(decisions.latest, project)),
        "queues": SimpleLazyObject(health.queues),
        "services": SimpleLazyObject(health.services),
        "upkeep": SimpleLazyObject(selectors.upkeep),
        "breakers": SimpleLazyObject(health.breakers),
        "damaged_states": SimpleLazyObject(health.damaged_states),
    }
    context["lede"] = SimpleLazyObject(lambda: _lede(chrome, context))
    if chosen:
        context["agents"] = SimpleLazyObject(partial(selectors.agents, project, chosen))
    return render_page(request, "now/page.html", context, regions=REGIONS)


def _lede(chrome: Chrome, context: Mapping[str, Any]) -> str:
    """How things go, in two sentences; an unheard level is said first of all."""
    running = context["counts"][Standing.RUNNING]
    if chrome.missions:
        agents = f"{spelled(running).capitalize()} agent{_s(running)} work{_s(running, verb=True)}"
        told = [f"{agents} in {spelled(chrome.missions)} mission{_s(chrome.missions)}."]
    else:
        told = ["No mission is in flight."]
    unheard = [queue for queue in context["queues"] if queue.is_unheard and queue.queued]
    if unheard:
        stuck = " and ".join(f"{spelled(queue.queued)} {queue.level} task{_s(queue.queued)}" for queue in unheard)
        told.append(f"{stuck[0].upper()}{stuck[1:]} cannot start: no worker listens there.")
    return " ".join(told)


def _s(count: int, *, verb: bool = False) -> str:
    """The ending of a noun, or of its verb."""
    return "s" if (count == 1) is verb else ""
