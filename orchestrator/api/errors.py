"""From what went wrong to JSON, by the table of statuses that the pages have, too."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from agents import access
from agents.errors import AlreadyDecided, DomainError, InvalidInput, InvalidTransition, StaleVersion, Unauthenticated
from agents.models import User
from orchestrator import statuses
from orchestrator.api.answers import Conflict, ConflictRefusal, Refusal
from orchestrator.statuses import Malformed, TooBig

_UNKNOWN = "There is no such field."
_PARAMETERS = {("body",), ("asked",)}  # of endpoints


def documented(answer: Any, *more: int) -> dict[int, Any]:
    """What an endpoint answers, and what it may answer else: who asks, and whether they may, is always looked at."""
    refusals = dict.fromkeys(sorted({400, 401, 403, 404, 405, 422, 500, 503, *more}), Refusal)
    return {200: answer, **refusals, **({409: ConflictRefusal} if 409 in more else {})}


def teach(api: NinjaAPI) -> None:
    """Let an interface answer in this way. What is not in the table goes on to Django, which writes it down."""
    for kind, tell in _TOLD.items():
        api.add_exception_handler(kind, partial(_answer, tell))


def _answer(tell: Callable[[Any], HttpResponse], request: HttpRequest, error: Any) -> HttpResponse:
    return tell(error)


def _pass_on(error: Exception) -> HttpResponse:
    raise error


def _unreadable(error: HttpError) -> HttpResponse:
    """A body that could not be read; the cause says why."""
    cause = error.__cause__
    return statuses.told(cause if isinstance(cause, DomainError) else Malformed())


def _misfit(error: ValidationError) -> HttpResponse:
    """Fields that do not fit, each with its message."""
    return statuses.told(InvalidInput(fields={_name(one["loc"]): _words(one) for one in reversed(error.errors)}))


def _name(place: tuple[Any, ...]) -> str:
    """What a program calls the field at this place: without where ninja read it, and the endpoint's parameter."""
    steps = place[1:]
    return ".".join(map(str, steps[1:] if steps[:1] in _PARAMETERS else steps))


def _words(fault: dict[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return _UNKNOWN
    return f"{fault['msg'].removeprefix('Value error, ').rstrip('.')}."


_TOLD: Mapping[type[Exception], Callable[[Any], HttpResponse]] = {
    DomainError: statuses.told,
    ValidationError: _misfit,
    HttpError: _unreadable,
    AuthenticationError: lambda error: statuses.told(Unauthenticated()),
    RequestDataTooBig: lambda error: statuses.told(TooBig()),
    RawPostDataException: lambda error: statuses.told(Malformed()),
    OperationalError: lambda error: statuses.unavailable(),
    InterfaceError: lambda error: statuses.unavailable(),
    Exception: _pass_on,
}


@contextmanager
def telling_what_stands(user: User, approval_id: UUID) -> Iterator[None]:
    """A conflict over a request in the block tells how the request is now."""
    try:
        yield
    except (AlreadyDecided, StaleVersion, InvalidTransition) as error:
        now = access.approval_for(user, approval_id)
        error.data["conflict"] = Conflict.of(now).model_dump(mode="json")
        raise
