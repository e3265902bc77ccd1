"""A thread's database connection, given back when its work is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, InterfaceError, InternalError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Connection, Cursor, Error

T = TypeVar("T")

# What a lost connection is known by. An internal error: the server ended it, for its transaction stood still too long.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)


@contextmanager
def scoped(using: str = DEFAULT_DB_ALIAS) -> Iterator[BaseDatabaseWrapper]:
    """The calling thread's connection for the length of the block; also decorates synchronous functions.

    Django keeps a connection per thread, and LangGraph runs parallel nodes and saves in threads of its own:
    left alone, each of them holds on to a connection until a pool has none left. So a connection that was
    first opened in the block is given back after it. One that was open before is the caller's and stays,
    unless it broke.
    """
    connection = connections[using]
    was_open = connection.connection is not None
    try:
        yield connection
    finally:
        if not was_open:
            connection.close()
        elif connection.errors_occurred and not connection.in_atomic_block:  # whose end belongs to the caller
            connection.close_if_unusable_or_obsolete()


def borrowing(task: Callable[[Connection[Any]], T], using: str = DEFAULT_DB_ALIAS) -> T:
    """What `task` makes of psycopg's connection of the calling thread, if one is open, else of one of Django's pool.

    The latter commits each statement, and does without what Django does to a connection at both ends, which takes
    longer than a statement of the saver. Errors come out as Django's.
    """
    connection = connections[using]
    pool = getattr(connection, "pool", None)  # only PostgreSQL's backend has one
    if connection.connection is not None or pool is None:
        with scoped(using), raw_cursor(connection) as cursor:
            return task(cursor.connection)
    pool.open()
    try:
        taken = pool.getconn()
        try:
            return task(taken)
        finally:
            pool.putconn(taken)
    except Error:
        with connection.wrap_database_errors:
            raise


def after_commit(task: Callable[[], None], using: str = DEFAULT_DB_ALIAS) -> None:
    """Call `task` once what the calling thread has written is there for all; at once outside a transaction."""
    if connections[using].connection is None:
        task()
    else:
        transaction.on_commit(task, using)


@contextmanager
def raw_cursor(connection: BaseDatabaseWrapper) -> Iterator[Cursor]:
    """psycopg's own cursor on Django's connection: it binds on the server, so statements can be prepared.

    Errors come out as Django's.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        yield cursor
