"""A project's policy: what holds, in words; its versions; the form in which admins change it."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_http_methods, require_safe

from agents import access
from agents.errors import InvalidInput, StaleVersion
from agents.lifecycle import Policy, Risk
from agents.models import PolicyVersion
from agents.policies.conditions import Comparison, Day
from agents.policies.policy import AtDeadline, Document, parse
from agents.roles import Level, Role
from agents.selectors import policies as selectors
from orchestrator.actions import policies
from orchestrator.tools import registry
from orchestrator.web import rule_words
from orchestrator.web.chrome import Chrome, enter, person
from orchestrator.web.forms import parse_id
from orchestrator.web.policy_form import PolicyForm
from orchestrator.web.render import render_page

SHOWN_CHANGES = 50
LONGEST_NUMBER = 9  # digits


@dataclass(slots=True)
class Attempt:
    """What an admin is about. `expected`: the number of the version that the form was made from."""

    form: PolicyForm
    expected: int | None
    note: str = ""
    trial: Any = None
    conflict: PolicyVersion | None = None
    errors: dict[str, str] = field(default_factory=dict)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """The rules in force, the tools' own policies, and the versions."""
    chrome = enter(request)
    known = policies.in_force(chrome.user, chrome.project.pk)
    document = known.document
    context = {
        "section": "policy",
        "number": known.number,
        "document": document,
        "rules": [
            {"rule": one, "words": rule_words.rule(one, document.terms), "terms": _terms(one)} for one in document.rules
        ],
        "whom": rule_words.whom(document.terms),
        "terms": rule_words.terms(document.terms),
        "tools": registry.tools(),
        "versions": SimpleLazyObject(lambda: _versions(chrome)),
        "may_edit": chrome.role is Role.ADMIN,
    }
    return render_page(request, "policy/page.html", context)


def _terms(rule: Any) -> list[str]:
    return rule_words.terms(rule.terms) if rule.terms else []


def _versions(chrome: Chrome) -> list[dict[str, Any]]:
    """Each with what it changed of the one before it."""
    found = selectors.versions(chrome.project.pk)
    documents = [*(parse(one.document) for one in found), _before(found)]
    return [
        {"version": one, "changes": rule_words.changes(documents[place + 1], documents[place])}
        for place, one in enumerate(found)
    ]


def _before(found: list[PolicyVersion]) -> Document:
    """The one before the last of these."""
    if not found or found[-1].number == 1:
        return Document()
    return parse(selectors.version(found[-1].project_id, found[-1].number - 1).document)


@require_safe
def as_json(request: HttpRequest) -> HttpResponse:
    """One version as it is stored."""
    chrome = enter(request)
    found = selectors.version(chrome.project.pk, _number(request.GET.get("version", "")) or 0)
    return JsonResponse(found.document, json_dumps_params={"indent": 2})


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest) -> HttpResponse:
    """The form; what it does is named by the button that sent it."""
    if request.method != "POST":
        chrome = enter(request)
        access.project_for(person(request), chrome.project.pk, role=Role.ADMIN)
        return _page(request, chrome, _begun(request, chrome))
    # the project that the form was opened in: another tab may have gone over to another one
    project = access.project_for(person(request), parse_id(request.POST.get("project", "")), role=Role.ADMIN)
    chrome = enter(request, project.pk)
    attempt = Attempt(
        PolicyForm.sent(request.POST), _number(request.POST.get("expected", "")), request.POST.get("note", "")
    )
    try:
        return _act(request, chrome, attempt, request.POST.get("do", "try"))
    except InvalidInput as error:
        _tell(attempt, error)
        return _page(request, chrome, attempt, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except StaleVersion:
        return _stale(request, chrome, attempt)


def _begun(request: HttpRequest, chrome: Chrome) -> Attempt:
    """The form of the policy in force, or of an earlier version to put in force again."""
    known = policies.in_force(chrome.user, chrome.project.pk)
    earlier = _number(request.GET.get("from", ""))
    if earlier is None:
        return Attempt(PolicyForm.of(known.document), known.number)
    document = parse(selectors.version(chrome.project.pk, earlier).document)
    return Attempt(PolicyForm.of(document), known.number, f"As in version {earlier}")


def _act(request: HttpRequest, chrome: Chrome, attempt: Attempt, act: str) -> HttpResponse:
    if act == "try":
        attempt.trial = policies.tried(chrome.user, chrome.project.pk, attempt.form.read())
    elif act == "save" or act.startswith("over:"):
        if act != "save":
            attempt.expected = _number(act.removeprefix("over:"))
        return _save(request, chrome, attempt)
    else:
        attempt.form.change(act)
    return _page(request, chrome, attempt)


def _save(request: HttpRequest, chrome: Chrome, attempt: Attempt) -> HttpResponse:
    made = policies.save(
        chrome.user, chrome.project.pk, attempt.form.read(), expected=attempt.expected, note=attempt.note
    )
    messages.success(request, f"Version {made.number} is in force. It holds for calls from now on.")
    return redirect("policy")


def _stale(request: HttpRequest, chrome: Chrome, attempt: Attempt) -> HttpResponse:
    """Somebody was first. If it was this very person with this very policy, it was the first half of a double click."""
    latest = next(iter(selectors.versions(chrome.project.pk, 1)), None)
    if latest and latest.made_by_id == chrome.user.pk and parse(latest.document) == parse(attempt.form.read()):
        messages.success(request, f"Version {latest.number} is in force. It holds for calls from now on.")
        return redirect("policy")
    attempt.conflict = latest
    return _page(request, chrome, attempt, status=HTTPStatus.CONFLICT)


def _tell(attempt: Attempt, error: InvalidInput) -> None:
    fields = dict(error.data.get("fields") or {"": str(error)})
    attempt.errors = {name: fields.pop(name) for name in ("note",) if name in fields}
    attempt.form.tell(fields)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None


def _page(request: HttpRequest, chrome: Chrome, attempt: Attempt, status: int = HTTPStatus.OK) -> HttpResponse:
    context: dict[str, Any] = {
        "section": "policy",
        "attempt": attempt,
        "form": attempt.form,
        "whole": attempt.form.whole,
        "has_errors": bool(attempt.errors or attempt.form.errors),
        "conflict": attempt.conflict,
        "meanwhile": _meanwhile(attempt),
        "trial": attempt.trial,
        "changes": _changes(attempt.trial) if attempt.trial else [],
        **choices(),
    }
    return render_page(request, "policy/edit.html", context, status=status)


def choices() -> dict[str, Any]:
    """What the fields of conditions and terms offer."""
    return {
        "policies": [(one.value, word) for one, word in rule_words.OUTCOMES.items()],
        "risk_names": list(Risk),
        "level_names": list(Level),
        "day_names": [(day.value, day.name.capitalize()) for day in Day],
        "comparisons": [(one.value, rule_words.COMPARISONS[one]) for one in Comparison],
        "roles": [(Role.APPROVER.value, "approvers"), (Role.ADMIN.value, "admins")],
        "at_deadlines": [(one.value, one.value.capitalize()) for one in AtDeadline],
        "tool_names": [tool.name for tool in registry.tools()],
    }


def _meanwhile(attempt: Attempt) -> list[rule_words.Change]:
    """What somebody else's version changed of the one that the form was made from."""
    if attempt.conflict is None:
        return []
    project_id = attempt.conflict.project_id
    before = parse(selectors.version(project_id, attempt.expected).document) if attempt.expected else Document()
    return rule_words.changes(before, parse(attempt.conflict.document))


def _changes(trial: Any) -> list[dict[str, Any]]:
    return [
        {"call": one.call, "was": _ruling(one.was), "now": _ruling(one.ruling), "rule": one.ruling.rule}
        for one in trial.changes[:SHOWN_CHANGES]
    ]


def _ruling(ruling: Any) -> str:
    """Run, Refuse, or whom it asks."""
    if ruling.policy is not Policy.ASK:
        return rule_words.OUTCOMES[ruling.policy]
    return ". ".join([f"Ask {rule_words.whom(ruling.terms)}", *rule_words.terms(ruling.terms)])
