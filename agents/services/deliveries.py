"""Sending what is to be told: deliveries are claimed, tried, and what came of it is noted.

Who claims one is alone with it for `HOLD`: when it dies before it notes, the delivery is tried again. So everything
comes at least once. No transaction is open while something is sent.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from agents import access
from agents.lifecycle import ApprovalStatus
from agents.models import Delivery, DeliveryAttempt, Mailbox, PushSubscription, Webhook
from agents.services.notices import OPEN
from agents.words import Channel, DeliveryStatus, Occasion

HOLD = timedelta(seconds=90)  # longer than any sending takes
MAIL_PAUSE = timedelta(minutes=1)  # between two mails to a person
PAUSES = tuple(min(10 * 3**number, 8 * 3600) for number in range(10))  # seconds between tries: 25 hours in all
KEPT = timedelta(days=30)
MOST_IN_MAIL = 50  # requests that one mail lists
GONE = 410

# The next few of each recipient, so that one that does not answer holds up no other.
_CLAIM = """
UPDATE notice_deliveries SET next_at = statement_timestamp() + make_interval(secs => %(hold)s), attempts = attempts + 1
WHERE delivery_id IN (
    SELECT delivery_id FROM notice_deliveries
    WHERE status = 'pending' AND next_at <= statement_timestamp() AND delivery_id IN (
        SELECT delivery_id FROM (
            SELECT delivery_id, row_number() OVER (
                PARTITION BY coalesce(webhook_id, subscription_id) ORDER BY next_at, delivery_id) AS place
            FROM notice_deliveries
            WHERE status = 'pending' AND next_at <= statement_timestamp() AND channel IN ('webhook', 'browser')
        ) AS due WHERE place <= %(each)s)
    ORDER BY next_at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
RETURNING delivery_id"""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try. `is_gone`: nobody is there any more, and none will be."""

    is_sent: bool
    code: int = 0
    milliseconds: int = 0
    answer: str = ""
    error: str = ""
    is_gone: bool = False


def claim_calls(most: int = 50, each: int = 5) -> list[Delivery]:
    """What is to be sent to webhooks and browsers now, for this caller alone."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"hold": HOLD.total_seconds(), "most": most, "each": each})
        ids = [row[0] for row in cursor.fetchall()]
    return _whole(ids)


def _whole(ids: Sequence[UUID]) -> list[Delivery]:
    found = Delivery.objects.filter(pk__in=ids).order_by("user", "happened_at", "pk")
    return list(found.select_related("approval__session__root", "project", "webhook", "subscription", "user"))


def claim_mails(most: int = 20) -> list[list[Delivery]]:
    """What is to be mailed now, by person, for this caller alone. Who got mail in the last minute gets it later."""
    due = Delivery.objects.filter(status=DeliveryStatus.PENDING, channel=Channel.MAIL, next_at__lte=Now())
    free = due.filter(Q(user__mailbox__isnull=True) | Q(user__mailbox__next_at__lte=Now()))
    people = free.order_by("user").values_list("user_id", flat=True).distinct()[:most]
    return [mails for one in people if (mails := _claim_mail(one))]


@transaction.atomic
def _claim_mail(user_id: UUID) -> list[Delivery]:
    Mailbox.objects.get_or_create(user_id=user_id)
    free = Mailbox.objects.filter(user_id=user_id, next_at__lte=Now())
    if not free.update(next_at=Now() + MAIL_PAUSE):
        return []
    due = Delivery.objects.filter(
        status=DeliveryStatus.PENDING, channel=Channel.MAIL, user_id=user_id, next_at__lte=Now()
    )
    ids = list(due.order_by("happened_at").values_list("pk", flat=True)[:MOST_IN_MAIL])
    Delivery.objects.filter(pk__in=ids).update(next_at=Now() + HOLD, attempts=F("attempts") + 1)
    return _whole(ids)


def obstacle(delivery: Delivery) -> str:
    """Why a claimed delivery is not to be sent any more; empty if nothing stands in the way."""
    if delivery.webhook is not None and (delivery.webhook.removed_at or delivery.webhook.disabled_why):
        return delivery.webhook.disabled_why or "The webhook was removed."
    if delivery.user is not None and not _may_see(delivery):
        return "This person does not belong to the project any more."
    if delivery.user is not None and delivery.occasion in OPEN and _status(delivery) != ApprovalStatus.PENDING:
        return "It was decided before."
    if delivery.occasion == Occasion.DECIDED and _status(delivery) == ApprovalStatus.PENDING:
        return "The decision was taken back."
    return ""


def _may_see(delivery: Delivery) -> bool:
    user = delivery.user
    return user is not None and user.is_active and access.role_in(user, delivery.project_id) is not None


def _status(delivery: Delivery) -> str:
    return delivery.approval.status if delivery.approval else ""


def drop(deliveries: Sequence[Delivery], why: str) -> None:
    """These are not sent: there is nobody to tell any more."""
    _end([one.pk for one in deliveries], DeliveryStatus.DROPPED, why)


@transaction.atomic
def note(delivery: Delivery, tried: Tried) -> None:
    """Keep what came of a try of a claimed delivery: it is done, tried again later, or given up.

    A webhook that answers 410 is disabled, a browser that is gone is forgotten. What a caller notes that was too slow
    counts only if it was sent.
    """
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts,
        code=tried.code,
        milliseconds=tried.milliseconds,
        answer=tried.answer,
        error=tried.error,
    )
    if tried.is_sent:
        _end([delivery.pk], DeliveryStatus.SENT, "")
    elif tried.is_gone:
        _forget(delivery)
    elif delivery.attempts > len(PAUSES):
        _end([delivery.pk], DeliveryStatus.GIVEN_UP, f"Tried {delivery.attempts} times.", attempts=delivery.attempts)
    else:
        Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.PENDING, attempts=delivery.attempts).update(
            next_at=Now() + pause(delivery.attempts)
        )


def pause(attempts: int) -> timedelta:
    """How long to wait after so many tries: about three times as long each time, never the same for two."""
    return timedelta(seconds=PAUSES[attempts - 1] * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load, no secret


def _forget(delivery: Delivery) -> None:
    if delivery.subscription is not None:
        PushSubscription.objects.filter(pk=delivery.subscription.pk).delete()
        return
    Webhook.objects.filter(deliveries=delivery.pk, disabled_why="").update(disabled_why="It answered 410: gone.")
    waiting = Delivery.objects.filter(webhook=delivery.webhook, status=DeliveryStatus.PENDING)
    _end(list(waiting.values_list("pk", flat=True)), DeliveryStatus.GIVEN_UP, "The webhook answered 410: gone.")


def _end(ids: Sequence[UUID], status: DeliveryStatus, why: str, **only: Any) -> None:
    Delivery.objects.filter(pk__in=ids, status=DeliveryStatus.PENDING, **only).update(
        status=status, why=why, ended_at=Now()
    )


def forget_old(before: datetime, limit: int = 5000) -> int:
    """Delete what was sent, dropped or given up and is older; how many deliveries."""
    old = Delivery.objects.exclude(status=DeliveryStatus.PENDING).filter(created_at__lt=before)
    deleted = Delivery.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()
    return deleted[1].get("agents.Delivery", 0)
