"""Addresses."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("orchestrator.api.urls")),
    path("", include("orchestrator.web.urls")),
]

handler400 = "orchestrator.web.errors.bad_request"
handler403 = "orchestrator.web.errors.forbidden"
handler404 = "orchestrator.web.errors.not_found"
handler500 = "orchestrator.web.errors.broken"
