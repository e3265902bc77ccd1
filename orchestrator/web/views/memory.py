"""What the agents remember, found by meaning and words."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from memory import search, selectors
from memory.search import MemoryFilter
from memory.selectors import Found
from memory.words import MemoryType
from orchestrator.web.chrome import enter
from orchestrator.web.forms import parse_number
from orchestrator.web.render import render_page

REGIONS = ("results", "holdings")
SHOWN, MOST = 20, 200
LONGEST = 1000  # characters of a query
AGES = {"1": "Last 24 hours", "7": "Last 7 days", "30": "Last 30 days"}
FILTERS = ("type", "mission", "importance", "age")


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Search and browse."""
    chrome = enter(request)
    query = request.GET.get("q", "").strip()[:LONGEST]
    limit = MOST if request.GET.get("more") == "1" else SHOWN
    filters = {name: request.GET[name] for name in FILTERS if request.GET.get(name)}
    chosen = _filter(filters)
    context: dict[str, Any] = {
        "section": "memory",
        "query": query,
        "filters": filters,
        "types": [kind.value for kind in MemoryType],
        "ages": AGES,
        "importance": round((chosen.least_importance or 0) * 100),
        "limit": limit,
        "answer": SimpleLazyObject(lambda: _timed(chrome.project.pk, query, chosen, limit)),
        "holdings": SimpleLazyObject(lambda: selectors.holdings(chrome.project.pk)),
    }
    return render_page(request, "memory/page.html", context, regions=REGIONS)


def _timed(project_id: UUID, query: str, chosen: MemoryFilter, limit: int) -> dict[str, Any]:
    start = time.perf_counter()
    found: list[Found] = selectors.find(project_id, query, chosen, limit)
    milliseconds = round((time.perf_counter() - start) * 1000)
    return {"found": found, "stems": search.stems(query), "milliseconds": milliseconds}


def _filter(given: dict[str, str]) -> MemoryFilter:
    """The filters that the address names; what is no value of theirs filters nothing."""
    age, kind = given.get("age", ""), given.get("type", "")
    importance = parse_number(given.get("importance", ""))
    return MemoryFilter(
        memory_type=kind if kind in set(MemoryType) else None,
        mission_id=_id(given.get("mission", "")),
        least_importance=min(importance, 100) / 100 if importance else None,
        since=timezone.now() - timedelta(days=int(age)) if age in AGES else None,
    )


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
