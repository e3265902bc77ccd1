"""Tries: how often, after what, and for how long at most."""

from email.message import Message
from urllib.error import HTTPError, URLError

import httpx
import pytest

from agents.errors import InvalidInput, NotBegun, ToolRefused, Transient
from orchestrator.conf import RetryLimits
from orchestrator.resilience.faults import asked_to_wait, is_down, is_passing, may_repeat
from orchestrator.resilience.retries import ordinal, tried

REQUEST = httpx.Request("GET", "http://there")
LIMITS = RetryLimits(retries=3, backoff=0.5, longest=30)


def answered(status: int, **headers: str) -> httpx.HTTPStatusError:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(status, headers=headers))


def wrapped(cause: Exception) -> Exception:
    error = RuntimeError("the client failed")
    error.__cause__ = cause
    return error


PASSING = [
    ConnectionResetError(),
    TimeoutError(),
    httpx.ConnectTimeout("slow"),
    httpx.ReadError("cut"),
    *[answered(status) for status in (408, 425, 429, 500, 502, 503, 504)],
    URLError(ConnectionRefusedError()),
    HTTPError("http://there", 503, "down", Message(), None),
    wrapped(answered(503)),
    wrapped(ConnectionResetError()),
    Transient(),
    NotBegun(),
]
LASTING = [
    *[answered(status) for status in (400, 401, 403, 404, 409, 422, 501)],
    ValueError("a bug"),
    KeyError("a bug"),
    FileNotFoundError("not there"),
    PermissionError("not yours"),
    InvalidInput(),
    ToolRefused(),
    wrapped(answered(404)),
    wrapped(ValueError("a bug")),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass_is_tried_again(error):
    assert is_passing(error)
    assert may_repeat(error, idempotent=True)
    assert may_repeat(error, idempotent=False) is isinstance(error, NotBegun)


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_lasts_is_not(error):
    assert not is_passing(error)
    assert not may_repeat(error, idempotent=True)


def test_who_has_too_much_to_do_is_not_down():
    assert (is_down(answered(429)), is_down(answered(503))) == (False, True)


def run(errors: list[Exception], limits: RetryLimits = LIMITS):
    """Meet the errors one after the other: the result or last error, the tries, and the pauses."""
    rests: list[float] = []
    tries: list[int] = []
    left = list(errors)

    def work(number: int) -> str:
        tries.append(number)
        if left:
            raise left.pop(0)
        return "done"

    outcome: object
    try:
        outcome = tried(
            work, limits=limits, may_repeat=is_passing, rest=lambda number, seconds, error: rests.append(seconds)
        )
    except Exception as error:  # noqa: BLE001 - the outcome is what the test looks at
        outcome = error
    return outcome, tries, rests


def test_a_passing_fault_is_tried_again_and_told_the_number():
    assert run([TimeoutError(), answered(503)])[:2] == ("done", [1, 2, 3])


def test_the_last_error_comes_out_when_tries_are_used_up():
    errors = [TimeoutError(str(number)) for number in range(9)]
    outcome, tries, rests = run(errors)
    assert (outcome, tries, len(rests)) == (errors[3], [1, 2, 3, 4], 3)


def test_tries_and_pauses_of_earlier_attempts_count():
    with pytest.raises(TimeoutError):
        tried(failing, limits=LIMITS, may_repeat=is_passing, rest=never, tries=3, rested=0)
    with pytest.raises(TimeoutError):
        tried(failing, limits=LIMITS, may_repeat=is_passing, rest=never, tries=1, rested=30)
    assert tried(lambda number: number, limits=LIMITS, may_repeat=is_passing, rest=never, tries=2, rested=9) == 3


def failing(number: int) -> None:
    raise TimeoutError


def never(number: int, seconds: float, error: BaseException) -> None:
    raise AssertionError("no further try")


def test_a_lasting_error_is_tried_once():
    error = answered(404)
    assert run([error]) == (error, [1], [])


def test_pauses_are_spread_over_the_whole_of_a_growing_span():
    first, third = zip(
        *[(rests[0], rests[2]) for *_, rests in (run([TimeoutError()] * 4) for _ in range(300))], strict=True
    )
    assert 0 <= min(first) < 0.1
    assert 0.4 < max(first) <= 0.5
    assert 0 <= min(third) < 0.2
    assert 1.7 < max(third) <= 2


def test_a_server_that_asks_to_wait_is_waited_for():
    assert run([answered(429, retry_after="7")])[2] == [7]


def test_a_pause_that_would_be_too_long_is_not_begun():
    error = answered(503, retry_after="31")
    assert run([error]) == (error, [1], [])
    outcome, tries, rests = run([answered(503, retry_after="20"), answered(503, retry_after="20")])
    assert (tries, rests) == ([1, 2], [20])
    assert isinstance(outcome, httpx.HTTPStatusError)


@pytest.mark.parametrize("value", ["", "soon", "-3", "1e9", "Wed, 99 Foo 2026"])
def test_a_strange_retry_after_is_none(value):
    assert asked_to_wait(answered(503, retry_after=value)) == 0


def test_ordinals():
    assert [ordinal(number) for number in (2, 3, 11)] == ["second", "third", "11th"]
