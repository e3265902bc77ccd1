"""Database connections in threads that nobody cleans up."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def scoped() -> Iterator[None]:
    """Give the thread's connection back at the end, unless it was open before.

    LangGraph runs nodes and saves in threads of its own, and Django keeps a connection for each thread: without
    this the pool runs dry.
    """
    was_open = connection.connection is not None
    try:
        yield
    finally:
        if not was_open:
            connection.close()
