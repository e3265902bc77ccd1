"""Carries what is to be told: reads what happened, sends what is due, notes what came of it.

It waits for machines that may be slow, so it has a thread of its own beside the sweeper's, and holds nothing while
it waits. Any number may run: what one has claimed, the others leave alone.
"""

import asyncio
import logging
import smtplib
import threading
import time
from collections.abc import Sequence
from typing import Self

from django.db import Error as DatabaseError
from django.db import connection

from agents.checkpoints.errors import StateDamaged, StateKeyMissing
from agents.errors import UnknownEvent
from agents.models import Delivery, PushSubscription
from agents.services import deliveries, notice_choices, notices
from agents.services.deliveries import Tried
from orchestrator.conf import notice_settings
from orchestrator.notices import calling, mailing, messages, pushing
from orchestrator.notices.calling import CallFailed
from orchestrator.notices.messages import Call

log = logging.getLogger(__name__)
PAUSE = 1.0  # seconds between rounds
SELDOM = 10  # rounds between two looks for deadlines
MOST_BATCHES = 10  # of events, before what they led to is sent
MOST_MAILS = 20  # in a round


class Courier:
    """Rounds one after another. A context: it has a loop for its calls."""

    def __init__(self) -> None:
        """Nothing is sent yet."""
        self._runner = asyncio.Runner()
        self._rounds = 0

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """End its loop."""
        self._runner.close()

    def round(self) -> int:
        """Do what is due; how many deliveries were tried."""
        for _ in range(MOST_BATCHES):
            if not notices.follow():
                break
        if self._rounds % SELDOM == 0:
            notices.tell_nearly_due()
        self._rounds += 1
        return self.call() + self.mail()

    def call(self) -> int:
        """Send what is due to webhooks and browsers, all at the same time."""
        due = _wanted(deliveries.claim_calls())
        ready = [(one, _ready(one)) for one in due]
        calls = [made for _, made in ready if isinstance(made, Call)]
        came = iter(self._runner.run(_all(calls)) if calls else [])
        for one, made in ready:
            deliveries.note(one, _judged(one, next(came) if isinstance(made, Call) else made))
        return len(due)

    def mail(self) -> int:
        """Send the mails that are due, until the server does not take one."""
        sent = 0
        for _ in range(MOST_MAILS):
            claimed = deliveries.claim_mails(1)
            if not claimed:
                break
            due = _wanted(claimed[0])
            tried = _mailed(due) if due else Tried(True)
            for one in due:
                deliveries.note(one, tried)
            sent += len(due)
            if not tried.is_sent:
                break
        return sent


def _wanted(claimed: Sequence[Delivery]) -> list[Delivery]:
    """Those that somebody still is to be told of; the others are dropped."""
    wanted = []
    for one in claimed:
        if why := deliveries.obstacle(one):
            deliveries.drop([one], why)
        else:
            wanted.append(one)
    return wanted


def _ready(delivery: Delivery) -> Call | Tried:
    """The request to send, or why there is none."""
    try:
        if delivery.webhook is not None:
            return messages.call(delivery, delivery.webhook)
        if delivery.subscription is not None:
            return _push(delivery, delivery.subscription)
    except (StateKeyMissing, StateDamaged):
        return Tried(False, error="Its secret cannot be read with the keys of this installation: make a new one.")
    except Exception:  # a fault of ours in one must not keep the others from being sent
        log.exception("The delivery %s could not be written.", delivery.pk)
        return Tried(False, error="It could not be written.")
    return Tried(False, error="There is nobody to send it to.", is_gone=True)


def _push(delivery: Delivery, subscription: PushSubscription) -> Call | Tried:
    try:
        return pushing.call(delivery, subscription)
    except ValueError:
        return Tried(False, error="The browser's keys are no keys.", is_gone=True)


async def _all(calls: Sequence[Call]) -> list[Tried]:
    return list(await asyncio.gather(*map(_tried, calls)))


async def _tried(call: Call) -> Tried:
    began = time.monotonic()
    try:
        answer = await calling.post(
            call.url, call.body, call.headers, is_private_allowed=notice_settings().is_private_allowed
        )
    except CallFailed as error:
        return Tried(False, milliseconds=round((time.monotonic() - began) * 1000), error=str(error))
    return Tried(200 <= answer.code < 300, answer.code, answer.milliseconds, answer.text)


def _judged(delivery: Delivery, tried: Tried) -> Tried:
    """With what its status means where it was sent."""
    gone = pushing.GONE if delivery.subscription_id else (deliveries.GONE,)
    if tried.code not in gone:
        return tried
    return Tried(False, tried.code, tried.milliseconds, tried.answer, tried.error, is_gone=True)


def _mailed(due: Sequence[Delivery]) -> Tried:
    began = time.monotonic()
    error = ""
    user = due[0].user
    address = notice_choices.address_of(user) if user else ""
    try:
        if not mailing.is_on() or not address:
            error = "There is no mail server." if address else "There is no address."
        else:
            mailing.message(due, address).send()
    except (smtplib.SMTPException, OSError, ValueError) as broken:  # ValueError: an address that cannot be written
        error = f"{type(broken).__name__}: {broken}"[:300]
    return Tried(not error, milliseconds=round((time.monotonic() - began) * 1000), error=error)


def run(stop: threading.Event) -> None:
    """Rounds until `stop` is set, whatever goes wrong in one."""
    with Courier() as courier:
        while not stop.wait(PAUSE):
            _survive(courier)
    connection.close()


def _survive(courier: Courier) -> None:
    try:
        courier.round()
    except (DatabaseError, UnknownEvent) as error:
        log.warning("Notices broke off; trying again: %s", error)
        connection.close()
    except Exception:  # one that cannot be sent must not keep the others from being sent
        log.exception("Notices broke off; trying again.")
        connection.close()
