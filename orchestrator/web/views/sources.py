"""A source, at the passage that somebody cites."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from agents import access
from agents.errors import NotFound
from memory import selectors
from memory.models import MissionPassage, MissionSource
from orchestrator.web.chrome import enter, person
from orchestrator.web.forms import parse_number
from orchestrator.web.render import render_page


@require_safe
def passage(request: HttpRequest, passage_id: UUID) -> HttpResponse:
    """Go to the passage in its source. ?quote=… marks these words in it."""
    found = MissionPassage.objects.filter(pk=passage_id).values_list("source_id", "project_id", "position").first()
    if found is None:
        raise NotFound
    source_id, project_id, position = found
    access.project_for(person(request), project_id)
    query = {"at": position, **({"quote": quote} if (quote := request.GET.get("quote", "")) else {})}
    return redirect(f"{reverse('source', args=[source_id])}?{urlencode(query)}#p-{position}")


@require_safe
def source(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """The text of a source around ?at=position."""
    found = MissionSource.objects.defer("text").select_related("session").filter(pk=source_id).first()
    if found is None:
        raise NotFound
    access.project_for(person(request), found.project_id)
    if found.session is None and found.user_id != person(request).pk:
        raise NotFound  # staged for somebody else's draft
    enter(request, found.project_id)
    at = request.GET.get("at", "")
    position = parse_number(at)
    context = {
        "section": "missions",
        "mission": found.session,
        "excerpt": selectors.excerpt(found, position),
        "at": position if at else -1,
        "quote": request.GET.get("quote", "")[:1000],
    }
    return render_page(request, "sources/page.html", context)
