"""The statements of each step, prepared once a connection and sent by libpq itself.

psycopg's cursor takes more of the client's time for one of them than all the rest: it converts the text, looks for
adapters of each parameter and drives libpq from Python. Here the text and the types are known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakSet

from psycopg import Connection, Cursor, OperationalError
from psycopg.adapt import Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_PARAMETER = re.compile(r"%\((\w+)\)s")


class Statement:
    """A statement whose text says the type of each parameter."""

    def __init__(self, name: str, text: str) -> None:
        """`name` is what connections know it by; parameters stand in `text` as psycopg writes them, `%(key)s`.

        They stand in `numbered` as PostgreSQL knows them.
        """
        self.text = text
        self._name = f"queenright_{name}".encode()
        self._keys = tuple(dict.fromkeys(_PARAMETER.findall(text)))
        places = {key: f"${place}" for place, key in enumerate(self._keys, 1)}
        self.numbered = _PARAMETER.sub(lambda found: places[found[1]], text).replace("%%", "%").encode()
        self._prepared: WeakSet[Connection[Any]] = WeakSet()

    def rows(self, connection: Connection[Any], parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Run it; returns all rows. Raises psycopg's errors."""
        if connection.prepare_threshold is None or not connection.autocommit:  # psycopg opens transactions by itself
            with Cursor(connection) as cursor:
                return cursor.execute(self.text, parameters, prepare=True, binary=True).fetchall()
        values = [_sent(parameters[key]) for key in self._keys]
        try:
            result = self._run(connection, values)
        except InvalidSqlStatementName:  # at a rollback psycopg lets the server forget whatever was prepared
            self._prepared.discard(connection)
            result = self._run(connection, values)
        reader = Transformer(connection)
        reader.set_pgresult(result)
        return reader.load_rows(0, result.ntuples, tuple)

    def _run(self, connection: Connection[Any], values: list[bytes | None]) -> PGresult:
        if connection not in self._prepared:
            _checked(connection, connection.pgconn.prepare(self._name, self.numbered))
            self._prepared.add(connection)
        ran = connection.pgconn.exec_prepared(self._name, values, result_format=Format.BINARY)  # type: ignore[arg-type]  # None is NULL
        return _checked(connection, ran)


def _sent(value: object) -> bytes | None:
    """A parameter as PostgreSQL reads it from text; a list is one of bytes."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    if isinstance(value, UUID):
        return value.hex.encode()
    if isinstance(value, list):
        return ("{" + ",".join([f'"\\\\x{item.hex()}"' for item in value]) + "}").encode()
    return None if value is None else str(value).encode()


def _checked(connection: Connection[Any], result: PGresult) -> PGresult:
    if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        return result
    if connection.pgconn.status == ConnStatus.BAD or result.error_field(DiagnosticField.SQLSTATE) is None:
        raise OperationalError(result.get_error_message())  # libpq's own error: the connection was lost
    raise error_from_result(result)
