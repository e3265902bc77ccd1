"""The pool of a process: it hands out no dead connection."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from tests.pools import pool_of


@pytest.fixture
def pool(transactional_db: None) -> Iterator[ConnectionPool[Connection[Any]]]:
    """A pool of one connection."""
    with pool_of(1, timeout=30) as pool:
        yield pool


def backend(connection: Connection[Any]) -> int:
    return connection.info.backend_pid


def test_a_connection_that_lives_is_handed_out_again(pool: ConnectionPool[Connection[Any]]):
    with pool.connection() as first:
        number = backend(first)
    with pool.connection() as again:
        assert backend(again) == number


def test_one_that_the_server_ended_is_replaced(pool: ConnectionPool[Connection[Any]]):
    with pool.connection() as taken:
        number, address = backend(taken), taken.info.dsn
    with Connection.connect(address, autocommit=True) as other:
        other.execute("SET ROLE NONE")  # back to the one that may
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [number])
    with pool.connection() as another:
        assert another.execute("SELECT pg_backend_pid()").fetchone() != (number,)


def test_one_that_was_only_told_something_is_kept(pool: ConnectionPool[Connection[Any]]):
    with pool.connection() as taken:
        number, address = backend(taken), taken.info.dsn
        taken.autocommit = True
        taken.execute("LISTEN news")
    with Connection.connect(address, autocommit=True) as other:
        other.execute("NOTIFY news")
    with pool.connection() as again:
        assert backend(again) == number
        again.execute("UNLISTEN news")
