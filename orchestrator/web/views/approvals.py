"""Requests to people: the list, one request, the decision."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_POST, require_safe

from agents import access
from agents.errors import AlreadyDecided, InvalidInput, StaleVersion
from agents.lifecycle import ApprovalStatus, Risk
from agents.models import Approval
from agents.selectors import approvals as selectors
from agents.selectors.approvals import Filters
from orchestrator.actions import approvals
from orchestrator.web import arguments, words
from orchestrator.web.chrome import Chrome, enter, person
from orchestrator.web.errors import status_of
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page

REGIONS = ("panes", "requests", "verdict", "decide")
FILTERS = ("who", "risk", "tool")


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter: where it leads, how many requests it leaves, whether it is set."""

    label: str
    count: int
    href: str
    is_set: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """A decision that did not go through: what was typed, and what is wrong with it."""

    given: Mapping[str, str]
    reason: str
    errors: Mapping[str, str]
    conflict: AlreadyDecided | StaleVersion | None = None


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The most urgent request beside the list."""
    chrome = enter(request)
    return _page(request, chrome, None)


@require_safe
def show(request: HttpRequest, approval_id: UUID) -> HttpResponse:
    """One request beside the list."""
    approval = access.approval_for(person(request), approval_id)
    return _page(request, enter(request, approval.project_id), approval)


@require_POST
def decide(request: HttpRequest, approval_id: UUID) -> HttpResponse:
    """Decide, and go on to the next request. What does not go through keeps everything that was typed."""
    approval = access.approval_for(person(request), approval_id)
    chrome = enter(request, approval.project_id)
    given = arguments.given_in(approval, request.POST)
    verdict, reason = request.POST.get("verdict", ""), request.POST.get("reason", "")
    try:
        edited = arguments.read(approval, given)
        decided = approvals.decide(
            person(request),
            approval_id,
            verdict=verdict,
            version=_version(request.POST),
            arguments=edited,
            reason=reason,
        )
    except InvalidInput as error:
        errors = error.data.get("fields") or {"": str(error)}
        return _page(request, chrome, approval, Attempt(given, reason, errors), status=status_of(error))
    except (AlreadyDecided, StaleVersion) as error:
        decided = access.approval_for(person(request), approval_id)
        if not _is_done(request, decided, verdict, approval.proposed if edited is None else edited):
            attempt = Attempt(given, reason, {}, error)
            return _page(request, chrome, decided, attempt, status=status_of(error))
    messages.success(request, f"{words.verdict(decided)}: {decided.title}")
    return redirect(_onward(request, chrome, decided))


def _version(form: QueryDict) -> int:
    text = form.get("version", "")
    return int(text) if text.isdecimal() else 0


def _is_done(request: HttpRequest, decided: Approval, verdict: str, wanted: dict[str, Any]) -> bool:
    """Did this very person decide exactly so already? Then this is the second half of a double click."""
    is_mine = decided.decided_by_id == person(request).pk and decided.verdict == verdict
    return is_mine and (decided.effective is None or decided.effective == wanted)


def _onward(request: HttpRequest, chrome: Chrome, decided: Approval) -> str:
    rest = selectors.pending(chrome.project.pk, _filters(request)).exclude(pk=decided.pk).first()
    return _address(request, rest or decided)


def _address(request: HttpRequest, approval: Approval) -> str:
    query = urlencode({name: request.GET[name] for name in FILTERS if request.GET.get(name)})
    return reverse("approval", args=[approval.pk]) + (f"?{query}" if query else "")


def _filters(request: HttpRequest) -> Filters:
    mine = request.GET.get("who") == "mine"
    risk = request.GET.get("risk", "")
    return Filters(person(request).pk if mine else None, risk if risk in set(Risk) else "", request.GET.get("tool", ""))


def _page(
    request: HttpRequest,
    chrome: Chrome,
    approval: Approval | None,
    attempt: Attempt | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    listed = list(selectors.pending(chrome.project.pk, _filters(request))[:200])
    approval = approval or next(iter(listed), None)
    others = listed if not approval or approval in listed else [approval, *listed]
    context: dict[str, Any] = {
        "section": "approvals",
        "listed": others,
        "pending_count": len(listed),
        "chips": SimpleLazyObject(lambda: _chips(request, chrome)),
        "is_filtered": any(request.GET.get(name) for name in FILTERS),
        "query": urlencode({name: request.GET[name] for name in FILTERS if request.GET.get(name)}),
        "decided": SimpleLazyObject(lambda: selectors.decided(chrome.project.pk, 1)),
        "approval": approval,
    }
    if approval:
        context |= _request(request, approval, others, attempt)
    return render_page(
        request,
        "approvals/page.html",
        context,
        regions=REGIONS,
        pieces={"request": ("approvals/_card.html", lambda key: _piece(chrome, key))},
        status=status,
    )


def _request(
    request: HttpRequest, approval: Approval, listed: Sequence[Approval], attempt: Attempt | None
) -> dict[str, Any]:
    at = listed.index(approval) if approval in listed else 0
    fields = arguments.fields(approval, attempt.given if attempt else None, attempt.errors if attempt else None)
    return {
        "context": SimpleLazyObject(lambda: selectors.context(approval)),
        "alike": SimpleLazyObject(lambda: selectors.on_tool(approval)),
        "fields": fields,
        "changes": sum(field.is_changed for field in fields),
        "attempt": attempt,
        "conflict": attempt.conflict if attempt else None,
        "comparison": SimpleLazyObject(lambda: arguments.compare(approval, fields)),
        "is_open": approval.status == ApprovalStatus.PENDING and not (attempt and attempt.conflict),
        "position": at + 1,
        "previous": _address(request, listed[at - 1]) if at > 0 else "",
        "next": _address(request, listed[at + 1]) if at + 1 < len(listed) else "",
    }


def _piece(chrome: Chrome, key: str) -> Mapping[str, Any] | None:
    found = Approval.objects.select_related("session", "session__root", "decided_by")
    one = found.filter(pk=parse_id(key), project=chrome.project).first()
    return {"one": one} if one else None


def _chips(request: HttpRequest, chrome: Chrome) -> list[Chip]:
    everything = list(selectors.pending(chrome.project.pk)[:500])
    me = person(request).pk
    mine = sum(one.session.root.user_id == me for one in everything)
    risks = Counter(one.risk for one in everything)
    tools = Counter(one.tool_name for one in everything)
    chips = [
        _chip(request, "All", len(everything), {name: "" for name in FILTERS}),
        _chip(request, "Mine", mine, {"who": "mine"}),
        *(_chip(request, f"{risk.capitalize()} risk", risks[risk], {"risk": risk}) for risk in Risk if risks[risk]),
    ]
    if len(tools) > 1:
        chips += [_chip(request, tool, count, {"tool": tool}) for tool, count in tools.most_common()]
    return chips


def _chip(request: HttpRequest, label: str, count: int, sets: Mapping[str, str]) -> Chip:
    """A filter that sets its parameters, or takes them away where they are set."""
    now = {name: request.GET[name] for name in FILTERS if request.GET.get(name)}
    is_set = all(now.get(name, "") == value for name, value in sets.items())
    then = {**now, **({name: "" for name in sets} if is_set else sets)}
    query = urlencode({name: value for name, value in then.items() if value})
    return Chip(label, count, reverse("approvals") + (f"?{query}" if query else ""), is_set)
