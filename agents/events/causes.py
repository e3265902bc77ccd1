"""What leads to the events that are recorded here and now: an earlier event, or a person's act."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from agents.ids import new_id

_cause: ContextVar[UUID | None] = ContextVar("cause", default=None)
_act: ContextVar[UUID | None] = ContextVar("act", default=None)
_token: ContextVar[UUID | None] = ContextVar("token", default=None)


@contextmanager
def caused_by(cause: UUID | None) -> Iterator[None]:
    """What is recorded in the block was caused by the event or act with this id, unless it says otherwise."""
    token = _cause.set(cause)
    try:
        yield
    finally:
        _cause.reset(token)


@contextmanager
def act() -> Iterator[None]:
    """A person's act: it has an id of its own, which its entry in the audit takes. Also decorates actions."""
    act_id = new_id()
    token = _act.set(act_id)
    try:
        with caused_by(act_id):
            yield
    finally:
        _act.reset(token)


def cause() -> UUID | None:
    """The id of what leads to what is done now; None when that is not known, or nothing does."""
    return _cause.get()


def act_id() -> UUID | None:
    """The id of the act that is under way; None when nobody acts."""
    return _act.get()


@contextmanager
def by_token(token_id: UUID | None) -> Iterator[None]:
    """What a person does in the block a program does for them, with this API token; None: they do it themselves."""
    before = _token.set(token_id)
    try:
        yield
    finally:
        _token.reset(before)


def token() -> UUID | None:
    """The API token with which somebody acts now; None without one."""
    return _token.get()
