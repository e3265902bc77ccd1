"""Rules that decide requests for people: those in force and those that are over, one of them, a new one."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents import access
from agents.errors import Forbidden, InvalidInput, InvalidTransition
from agents.lifecycle import RuleVerdict
from agents.models import ApprovalRule
from agents.roles import Role
from agents.selectors import rules as selectors
from orchestrator.actions import precedents, rules
from orchestrator.statuses import status_of
from orchestrator.tools import registry
from orchestrator.web import rule_words
from orchestrator.web.chrome import Chrome, enter, enter_for, person
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page
from orchestrator.web.rule_form import RuleForm
from orchestrator.web.views.policies import choices

SHOWN_DIFFERENT = 50


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Those in force, and those that were."""
    chrome = enter(request)
    context = {
        "section": "policy",
        "rules": _told(chrome, selectors.in_force(chrome.project.pk)),
        "past": SimpleLazyObject(lambda: _told(chrome, selectors.past(chrome.project.pk))),
    }
    return render_page(request, "rules/page.html", context, regions=("rules",))


def _told(chrome: Chrome, found: list[ApprovalRule]) -> list[dict[str, Any]]:
    return [
        {"rule": one, "words": rule_words.approval_rule(one), "may_revoke": _may_revoke(chrome, one)} for one in found
    ]


def _may_revoke(chrome: Chrome, rule: ApprovalRule) -> bool:
    return chrome.may_decide and (rule.owner_id == chrome.user.pk or chrome.role is Role.ADMIN)


@require_safe
def show(request: HttpRequest, rule_id: UUID) -> HttpResponse:
    """One rule, what it decided, and what it would have."""
    return _rule_page(request, rule_id)


def _rule_page(request: HttpRequest, rule_id: UUID, fault: str = "", status: int = HTTPStatus.OK) -> HttpResponse:
    chrome, rule = enter_for(request, access.rule_for, rule_id)
    trial = rules.tried_again(chrome.user, rule.pk)
    context = {
        "section": "policy",
        "rule": rule,
        "words": rule_words.approval_rule(rule),
        "is_in_force": selectors.is_in_force(rule),
        "may_revoke": _may_revoke(chrome, rule),
        "decisions": selectors.decisions(rule),
        "trial": trial,
        "different": trial.different[:SHOWN_DIFFERENT],
        "fault": fault,
    }
    return render_page(request, "rules/rule.html", context, regions=("decided",), status=status)


@require_POST
def revoke(request: HttpRequest, rule_id: UUID) -> HttpResponse:
    """Let it decide nothing any more, and go back."""
    try:
        rule = rules.revoke(person(request), rule_id)
    except InvalidTransition as error:
        return _rule_page(request, rule_id, str(error), status_of(error))
    messages.success(request, f"“{rule.name}” decides nothing any more.")
    return redirect("rules")


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form of a new rule; what it does is named by the button that sent it. `?from=` names a request."""
    given = request.POST if request.method == "POST" else request.GET
    asked = access.approval_for(person(request), parse_id(given["from"])) if given.get("from") else None
    if request.method != "POST":
        chrome = enter(request, asked.project_id if asked else None)
        access.project_for(person(request), chrome.project.pk, role=Role.APPROVER)
        suggested = precedents.suggested(chrome.user, asked) if asked and given.get("suggested") else None
        return _form_page(request, chrome, RuleForm.begun(asked, suggested))
    # the project that the form was opened in: another tab may have gone over to another one
    project = access.project_for(person(request), parse_id(given.get("project", "")), role=Role.APPROVER)
    chrome = enter(request, project.pk)
    form = RuleForm.sent(request.POST, asked)
    try:
        return _act(request, chrome, form, given.get("do", "try"))
    except InvalidInput as error:
        form.tell(error.data.get("fields") or {"": str(error)})
        return _form_page(request, chrome, form, status=status_of(error))
    except Forbidden as error:
        form.tell({"": str(error)})
        return _form_page(request, chrome, form, status=status_of(error))


def _act(request: HttpRequest, chrome: Chrome, form: RuleForm, act: str) -> HttpResponse:
    if act == "make":
        return _make(request, chrome, form)
    if act == "try":
        return _form_page(request, chrome, form, rules.tried(chrome.user, chrome.project.pk, **form.read()))
    form.change(act)
    return _form_page(request, chrome, form)


def _make(request: HttpRequest, chrome: Chrome, form: RuleForm) -> HttpResponse:
    made = rules.make(
        chrome.user,
        chrome.project.pk,
        **form.read(),
        name=form.draft.get("name", ""),
        reason=form.draft.get("reason", ""),
        made_from=form.request.pk if form.request else None,
    )
    messages.success(request, f"“{made.name}” decides from now on.")
    return redirect("rules")


def _form_page(
    request: HttpRequest, chrome: Chrome, form: RuleForm, trial: Any = None, status: int = HTTPStatus.OK
) -> HttpResponse:
    known = {tool.name for tool in registry.tools()} | set(selectors.tools_asked(chrome.project.pk))
    context: dict[str, Any] = {
        **choices(),
        "section": "policy",
        "form": form,
        "whole": form.whole,
        "asked": form.request,
        "verdicts": [(one.value, rule_words.VERDICTS[one]) for one in RuleVerdict],
        "tool_names": sorted(known),
        "trial": trial,
        "different": trial.different[:SHOWN_DIFFERENT] if trial else [],
    }
    return render_page(request, "rules/new.html", context, status=status)
