"""Answers: a whole page, a part of it for htmx, or the regions that a live page asks for."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

MOST_REGIONS = 100
# Regions of the surroundings, which every page has.
_CHROME = {
    "rail-waits": "_rail_waits.html",
    "rail-missions": "_rail_missions.html",
    "rail-letters": "_rail_letters.html",
}
# A kind of region with many on a page, such as agent-<id>: its template, and its context by the id.
Pieces = Mapping[str, tuple[str, Callable[[str], Mapping[str, Any] | None]]]


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    partial: str = "",
    regions: tuple[str, ...] = (),
    pieces: Pieces | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page; for htmx only `partial` of it; for a live page (?r=…) only the regions it names.

    `regions` are partials of the template whose name is their element's id. Values in `context` may be lazy: a
    region that nobody asks for then costs nothing.
    """
    if asked := request.GET.getlist("r"):
        response = HttpResponse(_regions(request, template, context, asked, regions, pieces or {}))
        response["Cache-Control"] = "no-store"
        return response
    is_part = bool(partial) and is_htmx(request)
    name = f"{template}#{partial}" if is_part else template
    response = HttpResponse(render_to_string(name, dict(context), request), status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def is_htmx(request: HttpRequest) -> bool:
    """Does htmx ask, for a part of a page?"""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def _regions(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    asked: list[str],
    regions: tuple[str, ...],
    pieces: Pieces,
) -> str:
    parts = []
    for region in asked[:MOST_REGIONS]:
        kind, _, key = region.partition("-")
        if region in _CHROME:
            parts.append(render_to_string(_CHROME[region], dict(context), request))
        elif region in regions:
            parts.append(render_to_string(f"{template}#{region}", dict(context), request))
        elif kind in pieces:
            piece, read = pieces[kind]
            if (own := read(key)) is not None:
                parts.append(render_to_string(piece, {**context, **own}, request))
    return "".join(parts)
