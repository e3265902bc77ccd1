"""For machines: is this process able to serve, and how many workers are wanted?"""

from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from orchestrator import health, scaling


@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """Which services answer, and how many states are damaged.

    503 only without the database: without Redis pages are served, but not live.
    """
    services = {service.name.lower(): service.answers for service in health.services()}
    status = HTTPStatus.OK if services["database"] else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({**services, "damaged_states": health.damaged_states()}, status=status)


@require_safe
@never_cache
@login_not_required
def scale(request: HttpRequest) -> JsonResponse:
    """What each level has to do, and how many worker processes it wants. Counts only, over all projects."""
    return JsonResponse({level: signal.as_dict() for level, signal in scaling.signals().items()})
