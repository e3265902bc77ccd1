"""What stands beside a request: decided ones that are like it, and the rule that they suggest."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from agents import access
from orchestrator.actions import precedents
from orchestrator.web.chrome import enter, person
from orchestrator.web.render import is_htmx, render_page


@require_safe
def show(request: HttpRequest, approval_id: UUID) -> HttpResponse:
    """Those like a request, after finding out what it means; without script its page."""
    found = precedents.look_for(person(request), approval_id)
    approval = access.approval_for(person(request), approval_id)
    enter(request, approval.project_id)
    if not is_htmx(request):
        return redirect("approval", approval_id)
    return render_page(request, "approvals/page.html", {"approval": approval, "similar": found}, partial="similar")


@require_POST
def dismiss(request: HttpRequest, approval_id: UUID) -> HttpResponse:
    """Suggest no rule for its tool for a while. What is typed into the request's form stays as it is."""
    precedents.dismiss(person(request), approval_id)
    approval = access.approval_for(person(request), approval_id)
    enter(request, approval.project_id)
    if not is_htmx(request):
        return redirect("approval", approval_id)
    return render_page(request, "approvals/page.html", {"approval": approval}, partial="suggestion")
