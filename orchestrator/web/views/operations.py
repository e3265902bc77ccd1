"""The installation for people: breakers, rates, what reuse saves, and dead letters."""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_POST, require_safe

from agents.selectors import letters as letter_selectors
from agents.selectors import reuse
from orchestrator import health
from orchestrator.actions import breakers, letters
from orchestrator.conf import breaker_limits, rates, reuse_limits
from orchestrator.web.chrome import enter, person
from orchestrator.web.render import render_page

SHOWN_LETTERS = 100


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Breakers, rates, what reuse saves."""
    chrome = enter(request)
    context = {
        "section": "system",
        "breakers": SimpleLazyObject(health.breakers),
        "breaker_limits": breaker_limits(),
        "rates": rates(),
        "saved": SimpleLazyObject(partial(reuse.by_project, chrome.project.pk)),
        "batched": SimpleLazyObject(partial(reuse.batched_in_project, chrome.project.pk)),
        "reuse_limits": reuse_limits(),
        "letters": SimpleLazyObject(lambda: letter_selectors.waiting(chrome.user).count()),
    }
    return render_page(request, "system/page.html", context, regions=("breakers", "saved"))


@require_POST
def close_breaker(request: HttpRequest) -> HttpResponse:
    """Close it, and go back."""
    name = request.POST.get("name", "")
    chrome = enter(request)
    breakers.close(chrome.user, name, project_id=chrome.project.pk)
    messages.success(request, f"{name.partition('/')[2]} is called again.")
    return redirect("system")


@require_safe
def dead_letters(request: HttpRequest) -> HttpResponse:
    """What failed for good; with ?all=1 also what was settled."""
    chrome = enter(request)
    is_whole = request.GET.get("all") == "1"
    find = letter_selectors.of_person if is_whole else letter_selectors.waiting
    found = find(chrome.user)[:SHOWN_LETTERS]
    context = {
        "section": "system",
        "letters": SimpleLazyObject(
            lambda: [(letter, letter_selectors.may_see_trace(chrome.user, letter)) for letter in found]
        ),
        "is_whole": is_whole,
    }
    return render_page(request, "system/letters.html", context, regions=("letters",))


@require_POST
def replay(request: HttpRequest, letter_id: UUID) -> HttpResponse:
    """Do it again, and go back."""
    letter = letters.replay(person(request), letter_id)
    messages.success(request, f"{letter.title} is tried again.")
    return redirect("dead_letters")


@require_POST
def discard(request: HttpRequest, letter_id: UUID) -> HttpResponse:
    """Leave it at that, and go back."""
    letter = letters.discard(person(request), letter_id)
    messages.success(request, f"{letter.title} was discarded.")
    return redirect("dead_letters")
