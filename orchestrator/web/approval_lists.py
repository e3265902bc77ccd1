"""The list pane of the approval desk: the open requests, or a page of the decided ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from agents.models import Approval
from agents.selectors import approvals, decisions
from orchestrator.web import approval_filters
from orchestrator.web.approval_filters import State
from orchestrator.web.chrome import Chrome, person

SHOWN = 100  # open requests in the list
PAGE = 50  # decided ones


@dataclass(frozen=True, slots=True)
class Listing:
    """Which list it is, what stands in it, and what else its template shows of it, by name."""

    state: State
    requests: list[Approval]
    context: Mapping[str, Any]


def read(request: HttpRequest, chrome: Chrome) -> Listing:
    """The list that an address asks for."""
    return _READ[approval_filters.state(request.GET)](request, chrome)


def _open(request: HttpRequest, chrome: Chrome) -> Listing:
    user = person(request)
    found = approvals.listed(chrome.project.pk, approval_filters.read(request.GET, user), SHOWN)
    counts = approvals.counts(chrome.project.pk, user.pk)
    context = {
        "pending_count": counts.all,
        "chips": approval_filters.chips(request, counts),
        "is_cut": len(found) == SHOWN,
        "shown": SHOWN,
    }
    return Listing(State.OPEN, found, context)


def _decided(request: HttpRequest, chrome: Chrome) -> Listing:
    project = chrome.project.pk
    filters, mark = approval_filters.read_decided(request.GET, person(request))
    found = decisions.listed_after(project, filters, mark, PAGE + 1)
    shown = found[:PAGE]
    context = {
        "pending_count": SimpleLazyObject(lambda: approvals.waiting(project)),
        "chips": SimpleLazyObject(lambda: approval_filters.decided_chips(request, decisions.offered(project))),
        "older": approval_filters.older(request, shown[-1]) if len(found) > PAGE else "",
        "newest": approval_filters.list_address(request.GET, State.DECIDED) if mark else "",
    }
    return Listing(State.DECIDED, shown, context)


_READ = {State.OPEN: _open, State.DECIDED: _decided}
