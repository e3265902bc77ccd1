"""Signing in, the theme, the project one works in."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from agents import access
from orchestrator.env import environment
from orchestrator.web.chrome import PROJECT, THEMES, person
from orchestrator.web.forms import parse_id

YEAR = 365 * 24 * 3600
STAY = 14 * 24 * 3600  # seconds that "stay signed in" lasts


@method_decorator(login_not_required, name="dispatch")
class Login(LoginView):
    """The sign-in page. A page part that htmx asked for after the session ran out becomes a whole visit."""

    template_name = "account/login.html"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send htmx to the page itself: its answer would be put into the page that it came from."""
        if request.headers.get("HX-Request"):
            here = request.headers.get("HX-Current-URL", "")
            query = urlencode({"next": here}) if _is_ours(request, here) else ""
            return HttpResponse(headers={"HX-Redirect": f"{reverse('login')}?{query}"})
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in, for this visit of the browser or for two weeks."""
        response = super().form_valid(form)
        self.request.session.set_expiry(STAY if self.request.POST.get("stay") else 0)
        return response


@require_POST
def preferences(request: HttpRequest) -> HttpResponseRedirect:
    """Keep theme and keys in cookies: they hold for this browser, signed in or not."""
    response = _back(request)
    theme = request.POST.get("theme", "")
    _remember(response, "theme", theme if theme in THEMES else "")
    _remember(response, "keys", "" if request.POST.get("keys") else "off")
    return response


def _remember(response: HttpResponse, name: str, value: str) -> None:
    if value:
        response.set_cookie(name, value, max_age=YEAR, secure=environment().https, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(name)


@require_POST
def use_project(request: HttpRequest) -> HttpResponseRedirect:
    """Go over to another project."""
    project = access.project_for(person(request), parse_id(request.POST.get("project", "")))
    request.session[PROJECT] = str(project.pk)
    return redirect("now")


def _back(request: HttpRequest) -> HttpResponseRedirect:
    there = request.POST.get("next", "")
    return HttpResponseRedirect(there if _is_ours(request, there) else reverse("now"))


def _is_ours(request: HttpRequest, url: str) -> bool:
    return bool(url) and url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
