"""Empties a database after a test that committed: the few tables that have rows, instead of all.

Django truncates every table, which makes new files for each and for its indexes, and fills in again what it keeps
about models. Most tests leave rows in a handful of tables.
"""

from django.db import connections, transaction
from django.test import TransactionTestCase

KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def empty(alias: str) -> None:
    """Delete all rows that tests have committed. Foreign keys are not looked at: nothing is left to miss anything."""
    connection = connections[alias]
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        tables = sorted(set(connection.introspection.django_table_names()) - KEPT)
        named = [(table, connection.ops.quote_name(table)) for table in tables]
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {name})" for table, name in named)
        )
        filled = [connection.ops.quote_name(table) for (table,) in cursor.fetchall()]
        cursor.execute("SET LOCAL ROLE postgres; SET LOCAL session_replication_role = replica")
        for table in filled:
            cursor.execute(f"DELETE FROM {table}")


def _fixture_teardown(self: TransactionTestCase) -> None:
    for alias in self._databases_names(include_mirrors=False):  # type: ignore[attr-defined]  # Django's own
        empty(alias)


def use_it() -> None:
    """From now on, for all tests."""
    TransactionTestCase._fixture_teardown = _fixture_teardown  # type: ignore[attr-defined]  # as Django has it
