"""The sweeper's rounds: what they cost while nothing is to be set right."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

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
