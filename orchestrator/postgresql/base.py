"""The backend's module that Django looks for."""

import select
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, except for how its pool checks a connection before it hands it out."""

    _connection_pools: dict[str, ConnectionPool[Any]]
    _configure_connection: Callable[[Connection[Any]], None]

    @property
    def pool(self) -> ConnectionPool[Any] | None:
        """The process's pool, made at first use; None if the settings ask for none."""
        options = self.alias != NO_DB_ALIAS and self.settings_dict["OPTIONS"].get("pool")
        if options and self.alias not in self._connection_pools:
            pool = ConnectionPool(
                kwargs=self.get_connection_params() | {"autocommit": True},  # Django sets it as it needs it
                open=False,
                configure=self._configure_connection,
                check=check if self.settings_dict["CONN_HEALTH_CHECKS"] else None,
                **options,
            )
            self._connection_pools.setdefault(self.alias, pool)  # another thread may have been first
        return self._connection_pools[self.alias] if options else None


def check(connection: Connection[Any]) -> None:
    """Raise OperationalError if the connection is dead.

    A server that ends a connection, or dies, makes its socket readable. So a question, which takes as long as a
    small statement, is asked only where there is something to read.
    """
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    if socket.poll(0):
        ConnectionPool.check_connection(connection)
