"""Requests to people: the list, one request, the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_POST, require_safe

from agents import access
from agents.errors import AlreadyDecided, Forbidden, InvalidInput, InvalidTransition, StaleVersion, TooLate
from agents.ids import new_id
from agents.interrupts import APPROVE, RESPOND, Form
from agents.lifecycle import ApprovalStatus
from agents.models import Approval
from agents.roles import Role
from agents.selectors import absences, decisions, people
from agents.selectors import approvals as selectors
from orchestrator.actions import approvals, precedents, trails
from orchestrator.statuses import status_of
from orchestrator.web import approval_filters, approval_lists, arguments, whole_arguments, words
from orchestrator.web.approval_filters import State
from orchestrator.web.chrome import Chrome, enter, enter_for, person
from orchestrator.web.forms import parse_id, parse_number
from orchestrator.web.render import render_page
from orchestrator.web.whole_arguments import Change

REGIONS = ("panes", "requests", "older", "verdict", "decide", "presence", "similar", "suggestion")
LONGEST_KEY = 100  # characters that name the press of a button
_CARDS = {State.OPEN: "approvals/_card.html", State.DECIDED: "approvals/_decided_card.html"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A decision that did not go through: the form as it was sent, and what is wrong with it."""

    form: Mapping[str, str]
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
    approvals.see(person(request), access.approval_for(person(request), approval_id))  # or it would be told live
    return _page(request, *enter_for(request, access.approval_for, approval_id))


@require_POST
def claim(request: HttpRequest) -> HttpResponse:
    """Go to the most urgent request that nobody else is about to decide."""
    chrome = enter(request)
    filters = approval_filters.read(request.GET, person(request))
    wanted = [one.pk for one in selectors.listed(chrome.project.pk, filters, approval_lists.SHOWN)]
    found = approvals.claim_next(person(request), chrome.project.pk, wanted)
    if found is None:
        messages.info(request, "Somebody is on each of these already.")
    return redirect(approval_filters.address(request, found))


@require_POST
def decide(request: HttpRequest, approval_id: UUID) -> HttpResponse:
    """Decide, and go on to the next request. What does not go through keeps everything that was typed."""
    chrome, approval = enter_for(request, access.approval_for, approval_id)
    typed = request.POST.dict()
    try:
        decided = _decided(request, approval)
    except (InvalidInput, Forbidden) as error:
        errors = error.data.get("fields") or {"": str(error)}
        return _page(request, chrome, approval, Attempt(typed, errors), status=status_of(error))
    except (AlreadyDecided, StaleVersion) as error:
        decided = access.approval_for(person(request), approval_id)
        return _page(request, chrome, decided, Attempt(typed, {}, error), status=status_of(error))
    _tell(request, decided)
    return redirect(_onward(request, chrome, decided))


def _decided(request: HttpRequest, approval: Approval) -> Approval:
    form = request.POST
    is_open = approval.form == Form.OPEN
    verdict = form.get("verdict", "")
    version = parse_number(form.get("version", ""))
    change = Change()
    if verdict == APPROVE or (is_open and verdict == RESPOND):
        try:
            change = whole_arguments.read(approval, form)
        except InvalidInput:
            if version == approval.version:  # else it is told that the request has changed, whatever was typed
                raise
    return approvals.decide(
        person(request),
        approval.pk,
        verdict=verdict,
        version=version,
        arguments=None if is_open else change.arguments,
        reason=form.get("words" if verdict == RESPOND else "reason", ""),
        tool=change.tool,
        answer=change.arguments if is_open else None,
        key=form.get("key", "")[:LONGEST_KEY],
    )


def _tell(request: HttpRequest, decided: Approval) -> None:
    """Say what was decided; what can be taken back says so by itself."""
    if decided.status == ApprovalStatus.PENDING:
        messages.success(request, f"Your approval counts; others must approve, too: {decided.title}")
    elif decided.dispatched_at is not None:
        messages.success(request, f"{words.verdict(decided)}: {decided.title}")


@require_POST
def assign(request: HttpRequest, approval_id: UUID) -> HttpResponse:
    """Say for whom a request is, and show it again."""
    approval = access.approval_for(person(request), approval_id, role=Role.APPROVER)
    to = request.POST.get("to", "")
    role = to if to in set(Role) else Role(approval.terms.get("role", Role.APPROVER))
    try:
        given = approvals.assign(person(request), approval_id, role=role, to=None if to in set(Role) else parse_id(to))
    except (InvalidInput, InvalidTransition, Forbidden) as error:
        messages.error(request, " ".join(error.data.get("fields", {}).values()) or str(error))
    else:
        messages.success(request, f"It is for {words.assigned(given)} now: {given.title}")
    return redirect(approval_filters.address(request, approval_id))


@require_POST
def undo(request: HttpRequest, approval_id: UUID) -> HttpResponse:
    """Take a decision back, and show the request again."""
    try:
        undone = approvals.undo(person(request), approval_id)
    except TooLate as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Taken back: {undone.title}")
    return redirect("approval", approval_id)


def _onward(request: HttpRequest, chrome: Chrome, decided: Approval) -> str:
    """To the next request; from a card on the page of an agent or its mission back to that page."""
    back = request.POST.get("back", "")
    if back == "session":
        return reverse("session", args=[decided.session_id])
    if back == "mission":
        return f"{reverse('mission', args=[decided.session.root_id])}?agent={decided.session_id}"
    if approval_filters.state(request.GET) is State.DECIDED:
        return approval_filters.address(request, decided.pk)
    filters = approval_filters.read(request.GET, person(request))
    rest = selectors.pending(chrome.project.pk, filters).exclude(pk=decided.pk).first()
    return approval_filters.address(request, (rest or decided).pk)


def _page(
    request: HttpRequest,
    chrome: Chrome,
    approval: Approval | None,
    attempt: Attempt | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    listing = approval_lists.read(request, chrome)
    listed = listing.requests
    approval = approval or next(iter(listed), None)
    others = listed if not approval or approval in listed else [approval, *listed]
    context: dict[str, Any] = {
        **listing.context,
        "section": "approvals",
        "state": listing.state,
        "listed": others,
        "bulk_key": new_id(),
        "is_filtered": approval_filters.is_filtered(request.GET),
        "query": approval_filters.query(request.GET),
        "open_list": approval_filters.list_address(request.GET, State.OPEN),
        "decided_list": approval_filters.list_address(request.GET, State.DECIDED),
        "decided": SimpleLazyObject(lambda: decisions.latest(chrome.project.pk, 1)),
        "undoable": SimpleLazyObject(lambda: selectors.undoable(chrome.project.pk, person(request).pk)),
        "approval": approval,
    }
    if approval:
        context |= _request(request, approval, others, attempt)
    return render_page(
        request,
        "approvals/page.html",
        context,
        regions=REGIONS,
        pieces={"request": (_CARDS[listing.state], lambda key: _piece(chrome, key))},
        status=status,
    )


def _request(
    request: HttpRequest, approval: Approval, listed: Sequence[Approval], attempt: Attempt | None
) -> dict[str, Any]:
    at = listed.index(approval) if approval in listed else 0
    is_pending = approval.status == ApprovalStatus.PENDING
    form, errors = (attempt.form, attempt.errors) if attempt else ({}, {})
    whole = whole_arguments.shown(approval, form, errors)
    is_whole = whole is not None and whole.is_touched
    given = arguments.given_in(approval, form) if attempt else arguments.decided(approval)
    fields = arguments.fields(approval, given, {} if is_whole else errors)
    return {
        "context": SimpleLazyObject(lambda: selectors.context(approval)),
        "similar": SimpleLazyObject(lambda: precedents.known(approval)),
        "suggestion": SimpleLazyObject(lambda: precedents.suggested(person(request), approval)),
        "fields": fields,
        "whole": whole,
        "tools": SimpleLazyObject(lambda: sorted(approvals.tools_in_place(approval))),
        "changes": sum(field.is_changed for field in fields) + is_whole,
        "attempt": attempt,
        "conflict": attempt.conflict if attempt else None,
        "comparison": SimpleLazyObject(lambda: arguments.compare(approval, fields)),
        "is_open": is_pending and not (attempt and attempt.conflict),
        "obstacle": approvals.obstacle(person(request), approval) if is_pending else "",
        "away": SimpleLazyObject(lambda: absences.of_request(approval)),
        "votes": SimpleLazyObject(lambda: _votes(approval)),
        "key": new_id(),
        "trail": SimpleLazyObject(lambda: trails.show(approval)),
        "deciders": SimpleLazyObject(lambda: people.deciders(approval.project_id)),
        "others": SimpleLazyObject(lambda: approvals.others(person(request), approval)),
        "position": at + 1,
        "previous": approval_filters.address(request, listed[at - 1].pk) if at > 0 else "",
        "next": approval_filters.address(request, listed[at + 1].pk) if at + 1 < len(listed) else "",
    }


def _votes(approval: Approval) -> list[dict[str, Any]]:
    """What people said, each with where it differs from what was proposed, and the text by which to agree with it."""
    return [
        {
            "vote": vote,
            "differences": whole_arguments.agreed(approval, vote),
            "text": whole_arguments.text_of(vote.arguments),
        }
        for vote in selectors.standing_votes(approval)
    ]


def _piece(chrome: Chrome, key: str) -> Mapping[str, Any] | None:
    one = decisions.row(chrome.project.pk, parse_id(key))
    return {"one": one} if one else None
