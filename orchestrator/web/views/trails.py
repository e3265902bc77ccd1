"""The trails of requests as files."""

from datetime import datetime, timedelta

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from agents.errors import InvalidInput
from orchestrator.actions import trails
from orchestrator.web.chrome import enter, person
from orchestrator.web.streams import awaited

LONGEST = timedelta(days=366)
USUAL = timedelta(days=31)
FORMS = {"json": (trails.as_json, "application/json"), "csv": (trails.as_csv, "text/csv; charset=utf-8")}


@require_safe
def download(request: HttpRequest, form: str) -> StreamingHttpResponse:
    """The trails of the requests from one day to another, both included; without days, of the last month."""
    chrome = enter(request)
    since, until = _days(request)
    write, content_type = FORMS[form]
    pieces = write(person(request), chrome.project.pk, since, until)
    sent = awaited(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(sent, content_type=content_type)
    name = f"approvals-{chrome.project.slug}-{since:%Y-%m-%d}-{until:%Y-%m-%d}.{form}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _days(request: HttpRequest) -> tuple[datetime, datetime]:
    now = timezone.now()
    since = _day(request.GET.get("since", ""), now - USUAL)
    try:
        until = _day(request.GET.get("until", ""), now) + timedelta(days=1)
    except OverflowError:  # the last day that there is
        raise InvalidInput("Ask for an earlier day.") from None
    if not timedelta(0) < until - since <= LONGEST:
        raise InvalidInput("Ask for one day at least, and for a year at most.")
    return since, until


def _day(text: str, usual: datetime) -> datetime:
    """The beginning of a day. Raises InvalidInput for what is none."""
    try:
        day = parse_date(text) if text else usual.date()
    except ValueError:
        day = None
    if day is None:
        raise InvalidInput(f"“{text}” is no day, such as 2026-01-31.")
    return timezone.make_aware(datetime(day.year, day.month, day.day))
