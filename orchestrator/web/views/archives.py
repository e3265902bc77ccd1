"""Sessions as files: out of this instance and into it."""

from uuid import UUID

from django.contrib import messages
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from agents import access
from agents.errors import InvalidInput
from agents.roles import Role
from orchestrator.actions import archives
from orchestrator.web.chrome import enter, person
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page
from orchestrator.web.streams import awaited


@require_safe
def download(request: HttpRequest, session_id: UUID) -> StreamingHttpResponse:
    """The file of a session, sent as it is written."""
    pieces = archives.export_session(person(request), session_id)
    sent = awaited(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(sent, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="session-{session_id}.json"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """The form that takes a file; the session that it becomes."""
    wanted = parse_id(request.POST.get("project", "")) if request.method == "POST" else None
    chrome = enter(request, wanted)
    access.project_for(person(request), wanted or chrome.project.pk, role=Role.OPERATOR)
    fault = ""
    if wanted is not None:
        try:
            session = archives.import_session(person(request), wanted, file=request.FILES.get("file"))
        except InvalidInput as error:
            fault = error.data["fields"]["file"]
        else:
            messages.success(request, f"Imported: {session.name}")
            return redirect("session", session.pk)
    context = {"section": "missions", "fault": fault, "most": archives.MOST_BYTES}
    return render_page(request, "sessions/import.html", context, status=422 if fault else 200)
