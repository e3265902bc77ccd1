"""The courier's rounds: on their own thread, whatever goes wrong in one."""

import os
import signal
import subprocess
import sys
import threading
from urllib.parse import quote

import pytest
from django.db import connection

from agents.models import Delivery
from agents.words import DeliveryStatus
from orchestrator.actions import webhooks
from orchestrator.env import BASE_DIR
from orchestrator.notices import courier as couriers
from tests.orchestrator.notices.conftest import make_webhook
from tests.orchestrator.notices.test_who_is_told import ask
from tests.stack import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private")]


def test_a_round_that_breaks_ends_nothing(project, admin, receiver, monkeypatch):
    made = make_webhook(admin, project, receiver).webhook
    monkeypatch.setattr(couriers, "PAUSE", 0.01)
    real, failures = couriers._ready, [RuntimeError("no"), couriers.DatabaseError("no")]

    def ready(delivery):
        if failures:
            raise failures.pop()
        return real(delivery)

    monkeypatch.setattr(couriers, "_ready", ready)
    webhooks.send_test(admin, made.pk)
    stop = threading.Event()
    thread = threading.Thread(target=couriers.run, args=[stop])
    thread.start()
    for left in (1, 0):
        eventually(lambda left=left: len(failures) == left)
        Delivery.objects.update(next_at=Delivery.objects.get().created_at)
    eventually(lambda: Delivery.objects.get().status == DeliveryStatus.SENT)
    stop.set()
    thread.join()


def test_the_sweeper_carries_a_request_to_a_webhook_and_ends_when_told(project, admin, receiver):
    make_webhook(admin, project, receiver)
    given = connection.settings_dict
    database = f"postgresql://postgres@localhost/{given['NAME']}?host={quote(str(given['HOST']), safe='')}"
    sweeper = subprocess.Popen(
        [sys.executable, "manage.py", "sweep"], cwd=BASE_DIR, env=os.environ | {"DATABASE_URL": database}
    )
    try:
        approval = ask(project)
        eventually(lambda: receiver.got)
        assert str(approval.pk) in receiver.got[0].body.decode()
        eventually(lambda: Delivery.objects.get().status == DeliveryStatus.SENT)
    finally:
        sweeper.send_signal(signal.SIGTERM)
        assert sweeper.wait(60) == 0
