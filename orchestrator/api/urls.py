"""Addresses of the interface, under /api/."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI

from agents.errors import DomainError
from orchestrator import statuses
from orchestrator.api import approvals, callers, errors, projects
from orchestrator.api.bodies import StrictParser
from orchestrator.statuses import MethodNotAllowed

api = NinjaAPI(
    title="Queenright",
    version="1",
    description="The approval desk for programs. Each decision goes through the same door as on the page.",
    docs_url=None,  # its pages take scripts from elsewhere
    docs_decorator=callers.known,
    auth=callers.WAYS,
    parser=StrictParser(),
    urls_namespace="api",
)
errors.teach(api)
api.add_router("/v1", approvals.router)
api.add_router("/v1", projects.router)


def _door(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Endpoints look themselves at who asks; what they answer is JSON in any case, and nobody keeps it."""

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **parts: Any) -> HttpResponse:
        try:
            response = view(request, *args, **parts)
        except DomainError as error:
            response = statuses.told(error)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = response["Allow"]
            response = statuses.told(MethodNotAllowed())
            response["Allow"] = allowed
        response["Cache-Control"] = "no-store"
        return response

    return answer


def _patterns() -> list[URLPattern]:
    found = [one for one in api.urls[0] if isinstance(one, URLPattern)]
    for one in found:
        one.callback = _door(one.callback)
    return found


app_name = "api"
urlpatterns = _patterns()
