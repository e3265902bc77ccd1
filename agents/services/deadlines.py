"""Deadlines: until when an agent may work, by the database's clock. Nobody has longer than the one above."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, Value
from django.db.models.functions import Least, Now

from agents.errors import InvalidInput
from agents.lifecycle import ACTIVE, Control, SessionStatus
from agents.models import AgentSession

_MOMENT = DateTimeField()
_YEAR = 365 * 24 * 3600


def after(seconds: float) -> Any:
    """That long after now, as the database computes it."""
    return Now() + Value(timedelta(seconds=seconds))


def span(seconds: float) -> timedelta:
    """So many seconds. Raises InvalidInput for more than a year, or nothing."""
    if not 0 < seconds <= _YEAR:
        raise InvalidInput(fields={"seconds": "An answer may take more than nothing, and up to a year."})
    return timedelta(seconds=seconds)


def at_most(seconds: float | None, latest: datetime | None) -> Any:
    """The deadline of an agent that may take `seconds` under one whose deadline is `latest`; None: it has none."""
    if seconds is None:
        return latest
    return (
        Least(after(seconds), Value(latest, output_field=_MOMENT), output_field=_MOMENT) if latest else after(seconds)
    )


def of_fork(origin: AgentSession) -> Any:
    """The deadline of a fork: as long from now as its origin had from its start, and no later than the one above's."""
    latest = origin.parent.expires_at if origin.parent else None
    seconds = None if origin.expires_at is None else (origin.expires_at - origin.created_at).total_seconds()
    return at_most(seconds, latest)


def moment(seconds: float) -> datetime:
    """That long after now, read from the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() + make_interval(secs => %s)", [seconds])
        found: datetime = cursor.fetchone()[0]
    return found


def passed(limit: int = 200) -> list[UUID]:
    """Agents at work whose deadline has passed and who have not been told to stop; those above first."""
    late = AgentSession.objects.filter(status__in=ACTIVE, expires_at__lte=Now())
    told = late.exclude(status=SessionStatus.RUNNING, control=Control.CANCEL)
    return list(told.order_by("depth").values_list("pk", flat=True)[:limit])
