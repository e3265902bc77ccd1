"""Makes a database ready for Queenright: its role, the database itself, the vector extension.

The application works as an ordinary role, never as a superuser: for those row-level security is void.
"""

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from orchestrator.servers.account import ServerError


def provision(dsn: str, role: str, *, embedded: bool = False) -> None:
    """Make what is missing of role, rights and extension; done again it changes nothing.

    `dsn` is the address the application connects with, `role` the role it then takes ('': none). On an
    embedded server the database is made too, the role may make further ones, and those have the extension:
    tests need it. Raises ServerError with what to do where the connecting account may not do it.
    """
    try:
        if embedded:
            _make_database(dsn, role)
            with psycopg.connect(make_conninfo(dsn, dbname="template1"), autocommit=True) as connection:
                _ensure_extension(connection)
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            if role:
                _ensure_role(connection, role, may_create_databases=embedded)
                _ensure_rights(connection, role)
            _ensure_extension(connection)
    except psycopg.Error as error:
        raise ServerError(f"The database cannot be made ready: {error}") from error


def _make_database(dsn: str, role: str) -> None:
    name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as connection:
        if role:
            _ensure_role(connection, role, may_create_databases=True)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            owner = sql.Identifier(role) if role else sql.SQL("CURRENT_USER")
            connection.execute(statement.format(sql.Identifier(str(name)), owner))


def _ensure_role(connection: psycopg.Connection, role: str, *, may_create_databases: bool) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        return
    name = sql.Identifier(role)
    options = sql.SQL("CREATEDB" if may_create_databases else "NOCREATEDB")
    try:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOSUPERUSER {}").format(name, options))
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    except psycopg.errors.InsufficientPrivilege as error:
        raise ServerError(
            f"There is no role {role!r} and {connection.info.user!r} may not make it: have it made, granted"
            " to that account, or set QUEENRIGHT_DATABASE_ROLE to nothing to work as the account itself."
        ) from error


def _ensure_rights(connection: psycopg.Connection, role: str) -> None:
    """The role must be one the account may take, and able to make tables."""
    name = sql.Identifier(role)
    allowed = "SELECT pg_has_role(current_user, %(r)s, 'SET'), has_schema_privilege(%(r)s, 'public', 'CREATE')"
    may_take, may_make_tables = connection.execute(allowed, {"r": role}).fetchone() or (False, False)
    if not may_take:
        raise ServerError(f"{connection.info.user!r} may not take the role {role!r}: GRANT it to that account.")
    if not may_make_tables:
        connection.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(name))


def _ensure_extension(connection: psycopg.Connection) -> None:
    if connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
        return
    try:
        connection.execute("CREATE EXTENSION vector")
    except psycopg.errors.FeatureNotSupported as error:
        raise ServerError("This PostgreSQL has no pgvector: install it, then start again.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise ServerError("The database lacks pgvector: have a superuser run CREATE EXTENSION vector.") from error
