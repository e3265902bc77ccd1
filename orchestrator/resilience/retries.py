"""Tries of one call: exponential backoff with full jitter, bounded in number and in time."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from tenacity.stop import stop_base

from orchestrator.conf import RetryLimits
from orchestrator.resilience.faults import asked_to_wait

Result = TypeVar("Result")
_ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def ordinal(number: int) -> str:
    """A small number's place in words."""
    return _ORDINALS[number] if number < len(_ORDINALS) else f"{number}th"


class _NoTimeLeft(stop_base):
    def __init__(self, longest: float) -> None:
        self._longest = longest

    def __call__(self, state: RetryCallState) -> bool:
        return state.idle_for + state.upcoming_sleep > self._longest


def tried(
    work: Callable[[int], Result],
    *,
    limits: RetryLimits,
    may_repeat: Callable[[BaseException], bool],
    rest: Callable[[int, float, BaseException], None],
    tries: int = 0,
    rested: float = 0.0,
) -> Result:
    """The result of `work`, which is given the number of its try; its last error, when no further try is worth it.

    All pauses together take no longer than the limit. `rest` is given the next try's number, the seconds until then
    and the error, and sleeps; what it raises ends the tries. `tries` and `rested` seconds went before.
    """
    jitter = wait_random_exponential(multiplier=limits.backoff, max=limits.longest)

    def wait(state: RetryCallState) -> float:
        return max(jitter(state), asked_to_wait(_error(state)))

    retrying = Retrying(
        retry=retry_if_exception(may_repeat),
        wait=wait,
        stop=stop_after_attempt(limits.retries + 1) | _NoTimeLeft(limits.longest),
        sleep=lambda seconds: None,
        before_sleep=lambda state: rest(state.attempt_number + 1, state.upcoming_sleep, _error(state)),
        reraise=True,
    )
    for attempt in retrying:
        state = attempt.retry_state
        if state.attempt_number == 1:
            state.attempt_number += tries
            state.idle_for += rested
        with attempt:
            return work(state.attempt_number)
    raise AssertionError("a try ends with a result or an error")


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or AssertionError("only a failed try is followed by another")
