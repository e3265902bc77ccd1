"""manage.py sweep: rounds of the sweeper until it is told to end."""

import logging
import signal
import threading
from itertools import count
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection

from orchestrator.conf import runner_limits
from orchestrator.notices import courier
from orchestrator.realtime.relay import Relay
from orchestrator.sweeper import sweep

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Sweeps every second, and carries notices beside that.

    Run one or more, in processes of their own: it must outlive the agents' workers.
    """

    help = "Finds lost workers and lost messages, for ever."

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep until SIGTERM or SIGINT."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        threading.Thread(target=courier.run, args=[stop], name="courier", daemon=True).start()
        relay = Relay()
        rounds = count()
        while not stop.wait(runner_limits().sweep.total_seconds()):
            try:
                sweep(next(rounds))
                relay.run()
            except DatabaseError as error:
                is_away = isinstance(error, (InterfaceError, OperationalError))
                log.warning("The sweep broke off; trying again: %s", error, exc_info=not is_away)
                connection.close()
