"""A clean Redis, and one that is away."""

import os

import pytest

from orchestrator.env import environment
from orchestrator.realtime import feed

REDIS_URL = os.environ["REDIS_URL"]


@pytest.fixture(autouse=True)
def clean_feed(redis_client, monkeypatch):
    """No facts of other tests, and no memory of a failure that one of them provoked."""
    monkeypatch.setattr(feed, "_pause", type(feed._pause)())


@pytest.fixture
def redis_away(monkeypatch, tmp_path):
    """Redis does not answer: its socket is not there."""
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    environment.cache_clear()
    feed.connection.cache_clear()
    yield
    forget_environment(monkeypatch)


@pytest.fixture
def restore_redis(monkeypatch):
    """A function: Redis answers again, and the pause after its failure is over."""

    def restore():
        forget_environment(monkeypatch)
        monkeypatch.setattr(feed, "_pause", type(feed._pause)())

    return restore


def forget_environment(monkeypatch) -> None:
    monkeypatch.setenv("REDIS_URL", REDIS_URL)
    environment.cache_clear()
    feed.connection.cache_clear()
