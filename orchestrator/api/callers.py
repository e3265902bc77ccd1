"""Who asks: a program with a person's API token, or a person's browser session."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja.security import HttpBearer, SessionAuth
from ninja.utils import check_csrf

from agents.errors import Forbidden, Unauthenticated
from agents.models import ApiToken, User
from orchestrator.actions import tokens


@dataclass(frozen=True, slots=True)
class Caller:
    """The person in whose name something is asked. `token`: with which; None: in the browser."""

    user: User
    token: ApiToken | None = None

    def acting(self) -> AbstractContextManager[None]:
        """What is done in the block is done so; the audit says it."""
        return tokens.acting(self.token)


class Token(HttpBearer):
    """`Authorization: Bearer qr_…`. A token that does not hold is refused, whatever else was sent with it."""

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """Raises Unauthenticated."""
        held = tokens.holder(token.strip())
        return Caller(held.user, held)


class BrowserSession(SessionAuth):
    """The session of a page. What changes something needs its CSRF token, too."""

    def __init__(self) -> None:
        """The CSRF token is looked at here: who has not signed in is told that first."""
        super().__init__(csrf=False)

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        """None for who has not signed in. Raises Forbidden."""
        user: Any = request.user
        if not user.is_authenticated:
            return None
        if check_csrf(request) is not None:
            raise Forbidden("The CSRF token is missing or wrong: send it in the header X-CSRFToken.")
        return Caller(user)


WAYS = (Token(), BrowserSession())


def of(request: HttpRequest) -> Caller:
    """Who asks. Endpoints are only reached by somebody."""
    caller: Any = request.auth  # type: ignore[attr-defined]  # set by the first of the ways that knows them
    assert isinstance(caller, Caller), "no endpoint is open to anybody"  # noqa: S101  # narrows the type
    return caller


def known(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorates a view that is no endpoint: it is for everybody who is known. Raises Unauthenticated."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **parts: Any) -> HttpResponse:
        if not any(way(request) for way in WAYS):
            raise Unauthenticated
        return view(request, *args, **parts)

    return answer
