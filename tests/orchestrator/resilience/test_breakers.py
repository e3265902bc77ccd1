"""Breakers: what fails again and again is left alone, by all processes, and looked at by one of them at a time."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from agents.errors import CircuitOpen
from orchestrator.conf import BreakerLimits
from orchestrator.resilience import breakers
from orchestrator.resilience.breakers import PREFIX, Breaker, State, names
from tests.races import at_once

NAME = "tool/search"
LIMITS = BreakerLimits(failures=3, rest=timedelta(seconds=30), window=timedelta(seconds=60))


def breaker(name: str = NAME) -> Breaker:
    """As another process would make it: nothing but Redis is shared."""
    return Breaker(name, "The tool search", LIMITS)


def fail(times: int = 1) -> None:
    for _ in range(times):
        with breaker().passing() as passage:
            passage.failed("it burns")


def succeed() -> None:
    with breaker().passing() as passage:
        passage.worked()


def rest_is_over(redis_client) -> None:
    assert redis_client.delete(f"{PREFIX}{NAME}:rest")


def test_failures_in_a_row_open_it_for_every_process():
    fail(2)
    assert breaker().standing().state is State.CLOSED
    fail()
    with pytest.raises(CircuitOpen) as refused, breaker().passing():
        raise AssertionError("let through")
    assert refused.value.data["until"] > datetime.now(UTC)
    assert "it burns" in str(refused.value)
    standing = breaker().standing()
    assert (standing.state, standing.reason) == (State.OPEN, "it burns")
    assert names() == [NAME]


def test_a_success_between_failures_keeps_it_closed():
    for _ in range(3):
        fail(2)
        succeed()
    assert breaker().standing().state is State.CLOSED


def test_a_call_that_says_nothing_counts_for_nothing():
    for _ in range(5):
        with suppress(KeyboardInterrupt), breaker().passing():
            raise KeyboardInterrupt
    assert breaker().standing().state is State.CLOSED


def test_breakers_are_each_for_themselves():
    fail(3)
    with breaker("tool/other").passing() as passage:
        passage.worked()


def test_after_the_rest_one_probe_passes_and_its_success_closes(redis_client):
    fail(3)
    rest_is_over(redis_client)
    with breaker().passing() as probe:
        assert breaker().standing().is_probed
        with pytest.raises(CircuitOpen), breaker().passing():
            raise AssertionError("a second probe was let through")
        probe.worked()
    assert breaker().standing().state is State.CLOSED
    assert names() == []


def test_a_failed_probe_opens_it_again(redis_client):
    fail(3)
    rest_is_over(redis_client)
    fail()
    assert breaker().standing().state is State.OPEN
    with pytest.raises(CircuitOpen), breaker().passing():
        raise AssertionError("let through")


def test_of_many_at_once_exactly_one_is_the_probe(redis_client):
    fail(3)
    rest_is_over(redis_client)
    inside = []

    def call() -> None:
        with breaker().passing():
            inside.append(1)
            at_most.append(len(inside))
            inside.pop()

    at_most: list[int] = []

    def quiet() -> bool:
        try:
            call()
        except CircuitOpen:
            return False
        return True

    passed = at_once(*[quiet for _ in range(12)])
    assert any(passed)
    assert max(at_most) == 1


def test_a_probe_that_ended_without_a_word_gives_way_to_the_next(redis_client):
    fail(3)
    rest_is_over(redis_client)
    with suppress(KeyboardInterrupt), breaker().passing():
        raise KeyboardInterrupt
    succeed()
    assert breaker().standing().state is State.CLOSED


def test_a_probe_that_stood_still_too_long_has_no_say(redis_client):
    fail(3)
    rest_is_over(redis_client)
    with breaker().passing() as stale:
        redis_client.delete(f"{PREFIX}{NAME}:probe")  # it ran out: the process was stopped
        with breaker().passing() as probe:
            probe.failed("it still burns")
        stale.worked()
    assert breaker().standing().state is State.OPEN


def test_a_long_probe_stays_the_only_one(redis_client, monkeypatch):
    monkeypatch.setattr(breakers, "PROBE_SECONDS", 2.0)
    fail(3)
    rest_is_over(redis_client)
    with breaker().passing():
        seen = 0
        while seen < 30:  # longer than the key lives without being renewed
            assert redis_client.exists(f"{PREFIX}{NAME}:probe")
            breakers.threading.Event().wait(0.1)
            seen += 1


def test_a_late_failure_of_before_the_trip_does_not_prolong_it(redis_client):
    late = [breaker().passing() for _ in range(3)]
    passages = [one.__enter__() for one in late]
    fail(3)
    redis_client.pexpire(f"{PREFIX}{NAME}:rest", 5000)
    for one, passage in zip(late, passages, strict=True):
        passage.failed("it burned long ago")
        one.__exit__(None, None, None)
    assert redis_client.pttl(f"{PREFIX}{NAME}:rest") <= 5000


def test_a_person_can_close_it():
    fail(3)
    assert breaker().close()
    succeed()
    assert not breaker().close()


def test_without_redis_everything_passes(redis_away):
    for _ in range(10):
        with Breaker(NAME, "The tool search", LIMITS, redis=redis_away).passing() as passage:
            passage.failed("it burns")
    assert Breaker(NAME, "The tool search", LIMITS, redis=redis_away).standing() is None


def test_without_failures_to_count_there_is_no_breaker():
    off = BreakerLimits(failures=0, rest=LIMITS.rest, window=LIMITS.window)
    for _ in range(5):
        with Breaker(NAME, "The tool search", off).passing() as passage:
            passage.failed("it burns")
    assert names() == []
