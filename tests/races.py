"""Several threads at once, each with a connection of its own."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from tests.stack import eventually


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run `calls` in threads that start together; what each returned or raised, in order."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            barrier.wait()
            outcomes[place] = call()
        except Exception as error:  # noqa: BLE001 - the outcome is what the test looks at
            outcomes[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def settle() -> None:
    """Wait until nothing can come before what is committed. The databases of one server hold each other up."""
    with connection.cursor() as cursor:

        def is_settled() -> bool:
            cursor.execute(
                "SELECT transaction_id < pg_snapshot_xmin(pg_current_snapshot()) FROM agent_events"
                " ORDER BY transaction_id DESC LIMIT 1"
            )
            return cursor.fetchone()[0]

        eventually(is_settled)
