"""The ways to models and tools: a breaker, a turn by rate, and pauses that hold no thread.

A pause of a second or less is slept. A longer one ends the attempt: the agent rests in its rows until a timer wakes it,
and comes to the same call again, which knows how often it was tried.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from agents.checkpoints.connections import DATABASE_AWAY, scoped
from agents.errors import CircuitOpen, Fenced, HandedBack, Resting
from agents.events.digests import digest
from agents.graphs.ports import Earlier
from agents.services import messages, pauses
from agents.services.pauses import Pause
from orchestrator.conf import Rate, breaker_limits, longest_turn, rates, retry_limits
from orchestrator.resilience.breakers import Breaker, Passage
from orchestrator.resilience.rates import take_turn
from orchestrator.resilience.retries import ordinal
from orchestrator.runtime.leases import Lease

SILENT = 0.05  # seconds of a pause of which nothing is said
LONGEST_SLEEP = 1.0  # seconds of a pause that holds a thread
LATE = 5.0  # seconds after which a turn that nobody came for has lapsed


class Line:
    """A way that all workers share, for one attempt of one session."""

    def __init__(self, lease: Lease, name: str, key: str, title: str) -> None:
        """`name` is what rates call it, `key` the breaker's name, `title` what people call it."""
        self.lease = lease
        self.title = title
        self.key = key
        self.rate: Rate | None = rates().get(name)

    @contextmanager
    def calling(self, asked: Mapping[str, Any]) -> Iterator["Call"]:
        """One call in this block, in as many tries as it takes; the same when another attempt asks the same.

        Raises Resting while it is too early for it.
        """
        call = Call(self, f"{self.key}:{digest(asked)[:32]}")
        call.rest_on()
        try:
            yield call
        except (Resting, HandedBack, Fenced, *DATABASE_AWAY):  # another attempt goes on with this call
            raise
        except Exception:
            call.end()
            raise
        call.end()


class Call:
    """One call, over all attempts that try it."""

    def __init__(self, line: Line, key: str) -> None:
        """What earlier attempts of this run came to is on the lease."""
        kept = line.lease.pauses.get(key)
        self._line = line
        self._lease = line.lease
        self._key = key
        self._pause = Pause.of(kept) if kept else Pause()
        self._has_warned = bool(kept)

    @property
    def earlier(self) -> Earlier:
        """What earlier attempts took."""
        return Earlier(self._pause.tries, self._pause.rested)

    @contextmanager
    def passing(self) -> Iterator[Passage]:
        """A try passes in this block, in its turn.

        Raises Resting when it is not let through yet, CircuitOpen or RateLimited when it would rest for too long.
        """
        with ExitStack() as stack:
            passage = self._enter(stack)
            yield passage
        if self._has_warned and passage.outcome == "":
            self._has_warned = False
            with self._lease.writing() as session:
                messages.calm(session)

    def _enter(self, stack: ExitStack) -> Passage:
        breaker = Breaker(self._line.key, self._line.title, breaker_limits())
        while True:
            try:
                passage = stack.enter_context(breaker.passing())
            except CircuitOpen as refusal:
                self._sit_out(refusal)
            else:
                self._take_turn()
                return passage

    def _sit_out(self, refusal: CircuitOpen) -> None:
        seconds = float(refusal.data["seconds"])
        rested = self._pause.rested + seconds
        if rested > retry_limits(0).longest:
            raise refusal
        self._rest(seconds, f"{self._line.title} has failed too often: it is asked again", rested=rested)

    def _take_turn(self) -> None:
        if self._line.rate is None:
            return
        if self._pause.has_turn:
            self._pause = replace(self._pause, has_turn=False)
            return
        words = f"{self._line.title} may be called {self._line.rate}: it is its turn"
        rest = partial(self._rest, words=words, has_turn=True)
        take_turn(self._line.key, self._line.title, self._line.rate, most=longest_turn(), rest=rest)

    def rest(self, seconds: float, next_try: int, reason: str) -> None:
        """Say why the call is tried again, and rest until then. Raises Resting, or HandedBack when it is to stop."""
        words = f"{reason}: {ordinal(next_try)} try"
        self._rest(seconds, words, tries=next_try - 1, rested=self._pause.rested + seconds)

    def _rest(
        self,
        seconds: float,
        words: str,
        *,
        tries: int | None = None,
        rested: float | None = None,
        has_turn: bool = False,
    ) -> None:
        tries = self._pause.tries if tries is None else tries
        rested = self._pause.rested if rested is None else rested
        self._pause = Pause(tries, rested, has_turn=has_turn)
        said = f"{words} in {max(1, round(seconds))} s."
        if seconds > SILENT:
            self._note(seconds, said)
        if seconds > LONGEST_SLEEP:
            raise Resting(said, key=self._key, until=self._pause.until)
        self._lease.rest(seconds)
        self._pause = replace(self._pause, has_turn=False)

    def _note(self, seconds: float, said: str) -> None:
        self._has_warned = True
        with self._lease.writing() as session:
            messages.warn(session, said)
            self._pause = pauses.begin(session, self._key, self._pause, seconds)
        self._lease.pauses[self._key] = self._pause.kept()

    def rest_on(self) -> None:
        """Rest for what is left of a pause that another attempt has begun. Raises Resting."""
        if self._pause.until is None:
            return
        with scoped():
            left = self._pause.left()
        if left > LONGEST_SLEEP:
            said = f"{self._line.title} is asked again in {round(left)} s."
            raise Resting(said, key=self._key, until=self._pause.until)
        self._lease.rest(left)
        if left < -LATE:
            self._pause = replace(self._pause, has_turn=False)

    def end(self) -> None:
        """The call has worked, or is given up: the next of its key is tried as often again."""
        if self._lease.pauses.pop(self._key, None) is not None:
            with self._lease.writing() as session:
                pauses.end(session, self._key)


class ModelLine(Line):
    """The way to a model, named provider:model, at an address; empty is the provider's own.

    Whoever goes over to another server must not wait for the breaker of the one that is down.
    """

    def __init__(self, lease: Lease, name: str, base_url: str = "") -> None:
        """For the session of `lease`."""
        place = urlsplit(base_url).netloc.rpartition("@")[2]  # without the name and password that it may hold
        super().__init__(lease, name, f"model/{name}{f'@{place}' if place else ''}", f"The model {name}")


class ToolLine(Line):
    """The way to a tool."""

    def __init__(self, lease: Lease, name: str) -> None:
        """For the session of `lease`."""
        super().__init__(lease, name, *tool_way(name))


def tool_way(name: str) -> tuple[str, str]:
    """What the breaker of a tool is called, and what people call it."""
    return f"tool/{name}", f"The tool {name}"
