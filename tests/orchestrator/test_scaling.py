"""The autoscaling signal, for machines and for people."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client

from agents.models import AgentSession
from orchestrator import presence
from tests.factories import make_mission

pytestmark = pytest.mark.django_db


@pytest.fixture
def overdue(redis_client):
    """A queen that nobody takes up; a worker listens on her level."""
    make_mission()
    AgentSession.objects.update(moved_at=Now() - timedelta(minutes=2))
    redis_client.setex(f"{presence._PREFIX}test", 10, '["queen"]')


def test_it_is_told_without_signing_in(overdue):
    answer = Client().get("/scale")
    queen = answer.json()["queen"]
    assert 119 < queen.pop("oldest_seconds") < 600
    assert queen == {"running": 0, "queued": 1, "overdue": 1, "workers": 1, "wanted": 1}
    assert answer.json()["worker"]["wanted"] == 0
    assert "no-store" in answer["Cache-Control"]


def test_a_command_prints_it(overdue):
    out = StringIO()
    call_command("scale", stdout=out)
    head, queen, *_ = out.getvalue().splitlines()
    assert head.split() == ["level", "running", "queued", "overdue", "oldest", "workers", "wanted"]
    assert queen.split()[:4] == ["queen", "0", "1", "1"]
    out = StringIO()
    call_command("scale", "--json", stdout=out)
    assert json.loads(out.getvalue())["queen"]["wanted"] == 1


def test_without_redis_nobody_knows_who_listens(overdue, monkeypatch):
    monkeypatch.setattr(presence, "listening", lambda: None)
    assert Client().get("/scale").json()["queen"]["workers"] is None
