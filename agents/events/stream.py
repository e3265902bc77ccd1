"""The stream of all events, in one order, for consumers that keep how far they are.

The order is that of transactions, and within one that of writing. Only what no running transaction can still come
before is read: a transaction that began early and commits late is waited for, never passed over. So one that stays
open for an hour holds all consumers up for that hour.
"""

from collections.abc import Callable, Iterator, Sequence

from django.db import connection, transaction

from agents.errors import NotFound
from agents.events.reading import Stored
from agents.events.rows import Row, of_query
from agents.models import AgentEvent, EventConsumer

Handle = Callable[[Sequence[Stored]], None]

_NEXT = """
SELECT event_id FROM agent_events
WHERE (transaction_id, position) > (%s::text::xid8, %s)
  AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY transaction_id, position LIMIT %s"""
_BEHIND = """
SELECT name FROM event_consumers WHERE (transaction_id, position) < (%s::text::xid8, %s) ORDER BY name LIMIT 1"""
_MOVE = """
UPDATE event_consumers SET transaction_id = %s::text::xid8, position = %s, updated_at = now() WHERE name = %s"""
_END = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"


@transaction.atomic
def register(name: str, *, from_now: bool = False) -> bool:
    """Make a consumer known, at the first event that is kept, or at what comes from now on. False if it was known.

    From now on: from the oldest transaction that is still running, so that it misses no late commit.
    """
    transaction_id = 0
    if from_now:
        with connection.cursor() as cursor:
            cursor.execute(_END)
            transaction_id = int(cursor.fetchone()[0])
    _, is_new = EventConsumer.objects.get_or_create(name=name, defaults={"transaction_id": transaction_id})
    return is_new


def forget(name: str) -> None:
    """Take a consumer away, so that nothing waits for it any more."""
    EventConsumer.objects.filter(pk=name).delete()


@transaction.atomic
def consume(name: str, handle: Handle, *, most: int = 100) -> int:
    """Hand the next events to `handle`; how many there were. 0 also while another instance is at it.

    What `handle` writes is committed together with how far the consumer is; when it raises, neither is, and the same
    events come again. What it does outside of the database may so be done twice. Raises NotFound for a consumer that
    is not known, UnknownEvent for an event that nobody can read: it is not passed over.
    """
    consumer = EventConsumer.objects.select_for_update(skip_locked=True).filter(pk=name).first()
    if consumer is None:
        if not EventConsumer.objects.filter(pk=name).exists():
            raise NotFound(f"There is no consumer called {name}.")
        return 0
    found = list(_next(consumer, most))
    if found:
        handle([Stored.of(row) for row in found])
        last = found[-1]
        with connection.cursor() as cursor:
            cursor.execute(_MOVE, [str(last.transaction_id), last.position, name])
    return len(found)


def _next(consumer: EventConsumer, most: int) -> Iterator[Row]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [str(consumer.transaction_id), consumer.position, most])
        ids = [row[0] for row in cursor.fetchall()]
    return of_query(AgentEvent.objects.filter(pk__in=ids).order_by("transaction_id", "position"))


def who_is_behind(row: Row) -> str:
    """The name of a consumer that has not read an event yet; empty if all have."""
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, [str(row.transaction_id), row.position])
        found = cursor.fetchone()
    return found[0] if found else ""
