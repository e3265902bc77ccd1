"""The home page."""

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from agents.selectors import approvals, missions
from agents.selectors import now as selectors
from agents.selectors.standing import Standing
from orchestrator import health
from orchestrator.web.chrome import enter
from orchestrator.web.render import render_page

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
        "decided": SimpleLazyObject(partial(approvals.decided, project)),
        "queues": SimpleLazyObject(health.queues),
        "services": SimpleLazyObject(health.services),
    }
    if chosen:
        context["agents"] = SimpleLazyObject(partial(selectors.agents, project, chosen))
    return render_page(request, "now/page.html", context, regions=REGIONS)
