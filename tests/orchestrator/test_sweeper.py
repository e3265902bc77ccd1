"""The sweeper's rounds: what they cost while nothing is to be set right."""

import logging

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from agents.errors import DomainError
from agents.models import SessionWait
from benchmarks import parked
from orchestrator import sweeper
from tests.agents.test_leases import explained, rows_of
from tests.factories import make_project, make_user


@pytest.mark.django_db
def test_a_round_reads_a_handful_of_rows_however_many_agents_are_parked(monkeypatch):
    monkeypatch.setattr(parked, "PARKED", 2000)
    make_project(make_user())
    parked.park()
    assert SessionWait.objects.count() == 2020
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE agent_sessions, session_waits, approvals, signals, agent_communications")
    with CaptureQueriesContext(connection) as captured:
        sweeper.sweep(1)
    asked = [query["sql"] for query in captured.captured_queries if query["sql"].lstrip().startswith("SELECT")]
    assert len(asked) >= 8
    for statement in asked:
        assert max(rows_of(explained(statement)), default=0) <= 10, statement


@pytest.fixture
def broken(monkeypatch):
    """Two approvals are due, and the first cannot be attended to; what was done in the round."""
    done: list[str] = []

    def attend(approval_id: str) -> None:
        if approval_id == "first":
            raise DomainError("It is odd.")
        done.append(approval_id)

    monkeypatch.setattr(sweeper.attention, "due", lambda: ["first", "second"])
    monkeypatch.setattr(sweeper.attention, "attend", attend)
    monkeypatch.setattr(sweeper, "ring_forgotten", lambda: done.append("rung"))
    monkeypatch.setattr(sweeper, "_failed", set())
    return done


@pytest.mark.django_db
def test_what_cannot_be_set_right_keeps_nobody_else_waiting_and_is_told_in_full_once(broken, caplog):
    with caplog.at_level(logging.WARNING):
        sweeper.sweep(1)
        sweeper.sweep(2)
    assert broken == ["second", "rung"] * 2
    assert [record.exc_info is not None and bool(record.exc_info) for record in caplog.records] == [True, False]
    assert "first" in caplog.text
    assert "It is odd." in caplog.text


@pytest.mark.django_db
def test_a_database_that_is_away_ends_the_round(broken, monkeypatch):
    def away() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(sweeper.timers, "due", away)
    with pytest.raises(OperationalError):
        sweeper.sweep(1)
    assert broken == []
