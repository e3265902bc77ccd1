"""Rates: no span has more calls than allowed, who asks first is first, and nobody waits for ever."""

import pytest

from agents.errors import RateLimited
from orchestrator.conf import Rate
from orchestrator.resilience.rates import take_turn
from tests.races import at_once

SLOW = Rate(10, 3600)  # so slow that no time passes between two calls of a test
STEP = 3600 / 9


def turn(rate: Rate = SLOW, *, name: str = "tool/search", most: float = 1e6) -> float:
    rested: list[float] = []
    wait = take_turn(name, "The tool search", rate, most=most, rest=rested.append)
    assert rested == ([wait] if wait else [])
    return wait


def test_turns_come_one_after_the_other():
    assert [turn() for _ in range(4)] == pytest.approx([0, STEP, 2 * STEP, 3 * STEP], abs=5)


def test_no_span_of_the_rate_has_more_calls_than_its_count():
    rate = Rate(60, 3600)
    starts = [turn(rate) for _ in range(200)]
    for start in starts:
        assert sum(start <= other < start + 3600 - 5 for other in starts) <= 60


def test_a_few_may_come_at_once():
    assert [turn(Rate(60, 3600)) for _ in range(6)] == pytest.approx([0] * 6, abs=5)


def test_all_workers_share_the_turns():
    waits = at_once(*[turn for _ in range(8)])
    assert sorted(waits) == pytest.approx([number * STEP for number in range(8)], abs=5)


def test_who_would_wait_too_long_is_refused_and_takes_no_turn():
    turn()
    for _ in range(3):
        with pytest.raises(RateLimited, match=r"10 times an hour") as refused:
            turn(most=10)
        assert refused.value.data["seconds"] == pytest.approx(STEP, abs=5)
    assert turn() == pytest.approx(STEP, abs=5)


def test_names_have_turns_of_their_own():
    turn()
    assert turn(name="tool/other") == 0


@pytest.mark.usefixtures("redis_away")
def test_without_redis_each_process_keeps_the_rate_by_itself():
    assert [turn() for _ in range(3)] == pytest.approx([0, STEP, 2 * STEP], abs=5)
    with pytest.raises(RateLimited):
        turn(most=10)
