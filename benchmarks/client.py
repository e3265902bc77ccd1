"""A process that is a client of its own. It is loaded before Django is set up, so what it measures is loaded late."""

import os
from multiprocessing.synchronize import Barrier
from typing import TYPE_CHECKING
from uuid import UUID

import django

if TYPE_CHECKING:
    from benchmarks.clients import Taken

_given: tuple[str, str, Barrier]


def begin(ready: Barrier, saver: str, address: str) -> None:
    """Set this process up, with one connection; `ready` is passed by all clients at once."""
    global _given
    _given = saver, address, ready
    os.environ["QUEENRIGHT_POOL_SIZE"] = "1"
    django.setup()


def work(session: UUID) -> "Taken":
    """What this client measured on its session."""
    from benchmarks import clients

    return clients.one(session, *_given)
