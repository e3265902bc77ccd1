"""The installation for people: breakers, rates, what reuse saves, and dead letters."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_POST, require_safe

from agents.access import is_admin
from agents.errors import InvalidInput, InvalidTransition
from agents.models import DeadLetter
from agents.selectors import letters as letter_selectors
from agents.selectors import reuse
from orchestrator import health
from orchestrator.actions import breakers, letters, projects
from orchestrator.actions.letters import Outcome
from orchestrator.conf import breaker_limits, rates, reuse_limits, runner_limits
from orchestrator.web.chrome import enter, person
from orchestrator.web.render import render_page

SHOWN_LETTERS = 100
LONGEST_NUMBER = 9  # digits
SETTLED = {"replay": "replayed", "discard": "discarded"}


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Breakers, rates, what reuse saves, the project's limit."""
    return _system_page(request)


def _system_page(
    request: HttpRequest, limit_given: str | None = None, limit_error: str = "", *, status: int = HTTPStatus.OK
) -> HttpResponse:
    chrome = enter(request)
    own = chrome.project.max_running
    context = {
        "section": "system",
        "may_limit": is_admin(chrome.user, chrome.project.pk),
        "limit_own": own,
        "limit_usual": runner_limits().max_running,
        "limit_given": ("" if own is None else str(own)) if limit_given is None else limit_given,
        "limit_error": limit_error,
        "breakers": SimpleLazyObject(health.breakers),
        "breaker_limits": breaker_limits(),
        "rates": rates(),
        "saved": SimpleLazyObject(partial(reuse.by_project, chrome.project.pk)),
        "batched": SimpleLazyObject(partial(reuse.batched_in_project, chrome.project.pk)),
        "reuse_limits": reuse_limits(),
        "saved_everywhere": SimpleLazyObject(reuse.everywhere) if is_admin(chrome.user) else None,
    }
    return render_page(
        request, "system/page.html", context, regions=("breakers", "saved", "letters-link"), status=status
    )


@require_POST
def limit_project(request: HttpRequest) -> HttpResponse:
    """Set how many agents of the project run at once; an empty field: as many as of any."""
    given = request.POST.get("max_running", "").strip()
    chrome = enter(request)
    try:
        projects.limit(chrome.user, chrome.project.pk, _number(given))
    except InvalidInput as error:
        why = error.data["fields"]["max_running"]
        return _system_page(request, given, why, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    messages.success(
        request, f"At most {given} agents of {chrome.project.name} run at once." if given else "The usual limit holds."
    )
    return redirect("system")


@require_POST
def close_breaker(request: HttpRequest) -> HttpResponse:
    """Close it, and go back."""
    name = request.POST.get("name", "")
    chrome = enter(request)
    breakers.close(chrome.user, name, project_id=chrome.project.pk)
    messages.success(request, f"{name.partition('/')[2]} is called again.")
    return redirect("system")


def _number(given: str) -> int | None:
    if given and not (given.isascii() and given.isdigit() and len(given) <= LONGEST_NUMBER):
        raise InvalidInput(fields={"max_running": "Give a whole number from 1, or nothing."})
    return int(given) if given else None


@require_safe
def dead_letters(request: HttpRequest) -> HttpResponse:
    """What failed for good; with ?all=1 also what was settled."""
    return _letters_page(request)


def _letters_page(
    request: HttpRequest, verb: str = "", undone: Sequence[Outcome] = (), *, status: int = HTTPStatus.OK
) -> HttpResponse:
    """The letters; those in `undone` say beside their cause why they were not settled, the others say it above."""
    chrome = enter(request)
    is_whole = request.GET.get("all") == "1"
    find = letter_selectors.of_person if is_whole else letter_selectors.waiting
    reasons = {outcome.letter_id: outcome.why for outcome in undone}

    def shown() -> list[tuple[DeadLetter, bool, str]]:
        return [
            (letter, letter_selectors.may_see_trace(chrome.user, letter), reasons.get(letter.pk, ""))
            for letter in find(chrome.user)[:SHOWN_LETTERS]
        ]

    found = shown() if undone else SimpleLazyObject(shown)
    there = {letter.pk for letter, *_ in found} if undone else set()
    context = {
        "section": "system",
        "letters": found,
        "is_whole": is_whole,
        "verb": SETTLED.get(verb, ""),
        "refused": [(one.title, one.why) for one in undone if one.letter_id not in there],
    }
    return render_page(request, "system/letters.html", context, regions=("letters",), status=status)


@require_POST
def settle_letters(request: HttpRequest) -> HttpResponse:
    """Replay or discard the chosen letters, and show what became of each."""
    verb = request.POST.get("verb", "")
    try:
        chosen = [UUID(found) for found in request.POST.getlist("letter")[:SHOWN_LETTERS]]
    except ValueError:
        raise InvalidInput("This is no letter.") from None
    outcomes = letters.settle_all(person(request), chosen, verb)
    undone = [outcome for outcome in outcomes if outcome.why]
    done = len(outcomes) - len(undone)
    words = f"{done} letter{'' if done == 1 else 's'} {'was' if done == 1 else 'were'} {SETTLED[verb]}"
    if undone:
        messages.warning(request, f"{words}, {len(undone)} not.")
        return _letters_page(request, verb, undone, status=HTTPStatus.CONFLICT)
    messages.success(request, f"{words}." if outcomes else "No letter was selected.")
    return redirect("dead_letters")


@require_POST
def replay(request: HttpRequest, letter_id: UUID) -> HttpResponse:
    """Do it again, and go back."""
    return _settle_one(request, letter_id, "replay")


@require_POST
def discard(request: HttpRequest, letter_id: UUID) -> HttpResponse:
    """Leave it at that, and go back."""
    return _settle_one(request, letter_id, "discard")


def _settle_one(request: HttpRequest, letter_id: UUID, verb: str) -> HttpResponse:
    try:
        letter = letters.ACTS[verb](person(request), letter_id)
    except InvalidTransition as error:
        title = letter_selectors.of_person(person(request)).get(pk=letter_id).title
        undone = [Outcome(letter_id, title, str(error))]
        return _letters_page(request, verb, undone, status=HTTPStatus.CONFLICT)
    messages.success(request, f"{letter.title} was {SETTLED[verb]}.")
    return redirect("dead_letters")
