"""Circuit breakers, one a model and one a tool, whose state all workers share in Redis.

Closed: calls pass, failures in a row are counted. Open: calls fail at once, for a while. Half open: one call in all
processes is let through as a probe; it closes the breaker, or opens it again.

A breaker is three keys, changed by single commands, and Redis's own expiry is the only clock:
`failures` counts; `open` is there from the first trip to the close; `rest` is there while nothing is let through.
`probe` holds the token of the one call that is let through then; whoever lives renews it.
"""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from agents.errors import CircuitOpen
from orchestrator.conf import BreakerLimits
from orchestrator.resilience.faults import is_down
from orchestrator.shared import Pause, connection

log = logging.getLogger(__name__)
Result = TypeVar("Result")

PREFIX = "queenright:breaker:"
PROBE_SECONDS = 9.0  # after which a probe whose process has died or stands still gives way to another
FORGOTTEN = timedelta(days=1)  # what nobody calls any more stays open no longer
LONGEST_REASON = 300

_away = Pause()


class State(StrEnum):
    """What a breaker does with a call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a breaker stands. `until`: when it lets a probe through; `since` and `reason`: why it opened."""

    name: str
    state: State
    failures: int
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""
    is_probed: bool = False

    @property
    def kind(self) -> str:
        """model or tool."""
        return self.name.partition("/")[0]

    @property
    def what(self) -> str:
        """The model or the tool."""
        return self.name.partition("/")[2]


@dataclass(slots=True)
class Passage:
    """One call on its way. Say how it went; one that says nothing counts for nothing."""

    token: str = ""
    after_failures: bool = False
    outcome: str | None = None  # the reason of a failure, empty where it worked

    def worked(self) -> None:
        """The other side answered."""
        self.outcome = ""

    def failed(self, reason: str) -> None:
        """The other side is not working."""
        self.outcome = reason[:LONGEST_REASON] or "failed"

    def broke_off(self, error: BaseException, reason: str) -> None:
        """The call raised an error: a failure only if that says that the other side is not working."""
        self.failed(reason) if is_down(error) else self.worked()


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker of one model or tool, by its name in Redis."""

    name: str
    title: str
    limits: BreakerLimits
    redis: Redis = field(default_factory=connection)

    @contextmanager
    def passing(self) -> Iterator[Passage]:
        """A call passes in this block. Raises CircuitOpen instead of beginning it. Without Redis all calls pass."""
        passage = self._enter() if self.limits.failures else Passage()
        over = threading.Event()
        if passage.token:
            threading.Thread(target=self._hold_probe, args=(passage.token, over), daemon=True).start()
        try:
            yield passage
        finally:
            over.set()
            if self.limits.failures:
                self._leave(passage)

    def _enter(self) -> Passage:
        found = _quietly(self._read)
        if found is None:
            return Passage()
        failures, opened, rest = found
        if not opened:
            return Passage(after_failures=bool(failures))
        if rest > 0:
            raise self._refusal(rest / 1000, _reason(opened))
        return self._probe(opened)

    def _probe(self, opened: str) -> Passage:
        token = secrets.token_hex(8)
        taken = _quietly(lambda: bool(self.redis.set(self._key("probe"), token, nx=True, px=_ms(PROBE_SECONDS))))
        if taken is None:
            return Passage()
        if not taken:
            raise self._refusal(self._rest(), _reason(opened))
        now = _quietly(self._read)  # an earlier probe may have ended since this call looked
        if now is not None and (not now[1] or now[2] > 0):
            _quietly(lambda: self._end_probe(Passage(token)))
            return self._enter()
        return Passage(token)

    def _read(self) -> tuple[int, str, int]:
        pipeline = self.redis.pipeline(transaction=True)
        pipeline.get(self._key("failures"))
        pipeline.get(self._key("open"))
        pipeline.pttl(self._key("rest"))
        failures, opened, rest = pipeline.execute()
        return int(failures or 0), opened or "", int(rest)

    def _leave(self, passage: Passage) -> None:
        if passage.token:
            _quietly(lambda: self._end_probe(passage))
        elif passage.outcome:
            _quietly(lambda: self._count(passage.outcome or ""))
        elif passage.outcome == "" and passage.after_failures:
            _quietly(lambda: self.redis.delete(self._key("failures")))

    def _count(self, reason: str) -> None:
        pipeline = self.redis.pipeline(transaction=True)
        pipeline.incr(self._key("failures"))
        pipeline.pexpire(self._key("failures"), self.limits.window)
        failures = pipeline.execute()[0]
        if failures >= self.limits.failures:

            def trip(pipeline: Pipeline) -> None:
                is_open = pipeline.exists(self._key("open"))
                pipeline.multi()
                if not is_open:  # a failure that began before the trip comes late, and must not prolong it
                    self._trip(pipeline, reason)

            self.redis.transaction(trip, self._key("open"))

    def _trip(self, pipeline: Pipeline, reason: str) -> None:
        told = json.dumps({"since": datetime.now(UTC).isoformat(), "reason": reason})
        pipeline.set(self._key("rest"), "1", px=_ms(self._rest()))
        pipeline.set(self._key("open"), told, ex=FORGOTTEN)
        pipeline.delete(self._key("failures"))

    def _end_probe(self, passage: Passage) -> None:
        """Only while the probe is still this one: one that stood still too long has lost its say."""

        def end(pipeline: Pipeline) -> None:
            mine: Any = pipeline.get(self._key("probe"))
            pipeline.multi()
            if mine != passage.token:
                return
            pipeline.delete(self._key("probe"))
            if passage.outcome:
                self._trip(pipeline, passage.outcome)
            elif passage.outcome == "":
                pipeline.delete(*self._keys())

        self.redis.transaction(end, self._key("probe"))

    def _hold_probe(self, token: str, over: threading.Event) -> None:
        while not over.wait(PROBE_SECONDS / 3):
            if _quietly(lambda: self.redis.get(self._key("probe"))) == token:
                _quietly(lambda: self.redis.pexpire(self._key("probe"), timedelta(seconds=PROBE_SECONDS)))

    def close(self) -> bool:
        """Let calls pass again, by a person's word; False when it was closed, or Redis is away."""
        return bool(_quietly(lambda: self.redis.delete(*self._keys())))

    def standing(self) -> Standing | None:
        """How it stands; None when Redis is away."""
        found = _quietly(lambda: (*self._read(), self.redis.exists(self._key("probe"))))
        if found is None:
            return None
        failures, opened, rest, is_probed = found
        if not opened:
            return Standing(self.name, State.CLOSED, failures)
        told = json.loads(opened)
        return Standing(
            self.name,
            State.OPEN if rest > 0 else State.HALF_OPEN,
            failures,
            since=datetime.fromisoformat(told["since"]),
            until=datetime.now(UTC) + timedelta(milliseconds=rest) if rest > 0 else None,
            reason=told["reason"],
            is_probed=bool(is_probed),
        )

    def _refusal(self, seconds: float, reason: str) -> CircuitOpen:
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        return CircuitOpen(
            f"{self.title} has failed too often ({reason}). It is left alone until {until:%H:%M:%S} UTC.",
            name=self.name,
            seconds=seconds,
            until=until,
        )

    def _rest(self) -> float:
        return self.limits.rest.total_seconds()

    def _key(self, part: str) -> str:
        return f"{PREFIX}{self.name}:{part}"

    def _keys(self) -> list[str]:
        return [self._key(part) for part in ("open", "rest", "failures", "probe")]


def names() -> list[str] | None:
    """The breakers that are not as they were made: open, half open, or with failures; None when Redis is away."""
    found = _quietly(lambda: list(connection().scan_iter(match=f"{PREFIX}*", count=500)))
    return None if found is None else sorted({key.removeprefix(PREFIX).rpartition(":")[0] for key in found})


def _reason(opened: str) -> str:
    return str(json.loads(opened)["reason"])


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _quietly(work: Callable[[], Result]) -> Result | None:
    """The result; None where Redis does not answer: a breaker must never stop the work by itself."""
    if _away.is_on():
        return None
    try:
        return work()
    except (RedisError, OSError) as error:
        _away.begin()
        log.warning("Breakers let everything through: Redis does not answer (%s).", error)
        return None
