"""A pool of a test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from psycopg import Connection
from psycopg_pool import ConnectionPool

from orchestrator.postgresql.base import DatabaseWrapper


@contextmanager
def pool_of(size: int, *, timeout: float) -> Iterator[ConnectionPool[Connection[Any]]]:
    """So many connections, and no more, in the place of the usual pool; who gets none gives up after `timeout` s."""
    connection = connections["default"]
    assert isinstance(connection, DatabaseWrapper)
    options = connection.settings_dict["OPTIONS"]
    usual = options["pool"]
    _end(connection)
    options["pool"] = {"min_size": 1, "max_size": size, "timeout": timeout}
    try:
        assert connection.pool is not None
        connection.pool.open()
        yield connection.pool
    finally:
        _end(connection)
        options["pool"] = usual


def _end(connection: DatabaseWrapper) -> None:
    connection.close()
    connection.close_pool()
