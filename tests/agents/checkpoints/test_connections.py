"""Whose a connection is, and when it goes back."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction

from agents.checkpoints import QueenrightSaver, scoped
from agents.models import AgentSession
from tests.agents.checkpoints.checkpoints import config_for, put, values_of

pytestmark = pytest.mark.django_db(transaction=True)


def is_open() -> bool:
    return connections["default"].connection is not None


def in_a_thread(task):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(task).result()


def test_a_connection_that_the_block_opened_is_given_back():
    def task() -> tuple[bool, bool, bool]:
        before = is_open()
        with scoped():
            AgentSession.objects.count()
            during = is_open()
        return before, during, is_open()

    assert in_a_thread(task) == (False, True, False)


def test_it_is_given_back_after_an_error_too():
    def task() -> bool:
        with pytest.raises(ZeroDivisionError), scoped():
            AgentSession.objects.count()
            raise ZeroDivisionError
        return is_open()

    assert in_a_thread(task) is False


def test_a_connection_that_was_open_before_stays_open():
    def task() -> tuple[bool, bool]:
        with scoped():
            AgentSession.objects.count()
            with scoped():
                AgentSession.objects.count()
            inner = is_open()
        return inner, is_open()

    assert in_a_thread(task) == (True, False)


def test_it_decorates_a_function():
    @scoped()
    def count(extra: int) -> int:
        return AgentSession.objects.count() + extra

    assert in_a_thread(lambda: (count(1), count(2), is_open())) == (1, 2, False)


def test_a_transaction_around_the_block_stays_whole():
    with transaction.atomic():
        with scoped() as inner:
            assert inner.in_atomic_block
        assert connection.in_atomic_block
        AgentSession.objects.count()


def test_the_saver_gives_back_what_it_took(saver: QueenrightSaver):
    def task() -> bool:
        stored = put(saver, config_for(), {"c": 1})
        saver.put_writes(stored, [("c", 1)], "task")
        saver.get_tuple(stored)
        next(saver.list(stored))
        was_open = is_open()
        saver.delete_thread(stored["configurable"]["thread_id"])
        return was_open or is_open()

    assert in_a_thread(task) is False


def test_after_a_lost_connection_the_next_call_has_a_new_one(saver: QueenrightSaver):
    stored = put(saver, config_for(), {"c": "x" * 300})
    AgentSession.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()

    @scoped()
    def end() -> None:
        with connections["default"].cursor() as other:
            other.execute("SET ROLE NONE")  # back to the one that may
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])

    in_a_thread(end)
    with pytest.raises(OperationalError):
        put(saver, stored, {"c": 2})
    put(saver, stored, {"c": 3})
    assert values_of(saver, config_for(stored["configurable"]["thread_id"])) == {"c": 3}
