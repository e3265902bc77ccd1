"""A clean Redis, and one that is away."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.resilience import breakers, rates
from orchestrator.shared import Pause


@pytest.fixture(autouse=True)
def clean(redis_client, monkeypatch):
    """No breakers and turns of other tests, and no memory of a failure that one of them provoked."""
    monkeypatch.setattr(breakers, "_away", Pause())
    monkeypatch.setattr(rates, "_away", Pause())
    monkeypatch.setattr(rates, "_local", {})


class NoRedis:
    """Every command finds nobody."""

    def __getattr__(self, name):
        """Any command."""

        def refuse(*arguments, **options):
            raise RedisConnectionError(f"nobody answers {name}")

        return refuse


@pytest.fixture
def redis_away(monkeypatch):
    """Nobody answers."""
    monkeypatch.setattr(rates, "connection", NoRedis)
    monkeypatch.setattr(breakers, "connection", NoRedis)
    return NoRedis()
