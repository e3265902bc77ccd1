"""Many requests decided by one press, with what became of each."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from agents.errors import InvalidInput
from agents.outcomes import Decided, DecisionOutcome
from orchestrator.actions import approvals
from orchestrator.web import approval_filters
from orchestrator.web.chrome import enter, person
from orchestrator.web.forms import parse_id, parse_number
from orchestrator.web.render import render_page

_WORDS = {
    Decided.DONE: "done",
    Decided.COUNTED: "counted, and others must approve, too",
    Decided.CHANGED: "changed since you saw them",
    Decided.TAKEN: "already decided by someone else",
    Decided.REFUSED: "not possible",
}


@require_POST
def decide(
    request: HttpRequest,
) -> HttpResponse:
    """Decide what was picked, and show what became of it; where all of it was done, go on with the list."""
    enter(request)
    form = request.POST
    try:
        outcomes = approvals.decide_many(
            person(request),
            [_picked(text) for text in form.getlist("pick")],
            verdict=form.get("verdict", ""),
            reason=form.get("reason", ""),
            key=form.get("key", ""),
        )
    except InvalidInput as error:
        messages.error(request, " ".join(error.data.get("fields", {}).values()) or str(error))
        return redirect(approval_filters.address(request))
    told = words(outcomes)
    if all(one.result is Decided.DONE for one in outcomes):
        messages.success(request, told)
        return redirect(approval_filters.address(request))
    context = {"section": "approvals", "outcomes": outcomes, "told": told, "back": approval_filters.address(request)}
    return render_page(request, "approvals/outcomes.html", context)


def _picked(text: str) -> tuple[UUID, int]:
    """A request and its version, as a card sends them. What is none is nobody's: it is not found."""
    named, _, version = text.partition(":")
    return parse_id(named), parse_number(version)


def words(outcomes: Sequence[DecisionOutcome]) -> str:
    """What became of all: 7 done, 2 changed since you saw them."""
    found = Counter(one.result for one in outcomes)
    return ", ".join(f"{found[result]} {word}" for result, word in _WORDS.items() if found[result])
