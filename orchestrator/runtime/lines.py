"""The ways to models and tools: a breaker, a turn by rate, and words for who watches while a call is tried again."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from agents.services import messages
from orchestrator.conf import breaker_limits, longest_turn, rates
from orchestrator.resilience.breakers import Breaker, Passage
from orchestrator.resilience.rates import take_turn
from orchestrator.resilience.retries import ordinal
from orchestrator.runtime.leases import Lease

SILENT = 0.05  # seconds of a pause of which nothing is said


class _Line:
    """A way that all workers share, for one attempt of one session."""

    def __init__(self, lease: Lease, name: str, key: str, title: str) -> None:
        self._lease = lease
        self._name = name
        self._key = key
        self._title = title
        self._has_warned = False

    @contextmanager
    def passing(self) -> Iterator[Passage]:
        """A call passes in this block, in its turn. Raises CircuitOpen or RateLimited instead of beginning it."""
        with Breaker(self._key, self._title, breaker_limits()).passing() as passage:
            if rate := rates().get(self._name):
                take_turn(self._key, self._title, rate, most=longest_turn(), rest=self._lease.rest)
            yield passage
        if self._has_warned and passage.outcome == "":
            self._has_warned = False
            with self._lease.writing() as session:
                messages.calm(session)

    def rest(self, seconds: float, next_try: int, reason: str) -> None:
        """Say why the call is tried again, and sleep until then. Raises HandedBack when the agent is to stop."""
        self.warn(reason, next_try, seconds)
        self._lease.rest(seconds)

    def warn(self, reason: str, next_try: int, seconds: float) -> None:
        """Say why a call is tried again, unless that is as good as at once."""
        if seconds > SILENT:
            self._has_warned = True
            with self._lease.writing() as session:
                messages.warn(session, f"{reason}: {ordinal(next_try)} try in {max(1, round(seconds))} s.")


class ModelLine(_Line):
    """The way to a model, named provider:model, at an address; empty is the provider's own.

    Whoever goes over to another server must not wait for the breaker of the one that is down.
    """

    def __init__(self, lease: Lease, name: str, base_url: str = "") -> None:
        """For the session of `lease`."""
        place = urlsplit(base_url).netloc.rpartition("@")[2]  # without the name and password that it may hold
        super().__init__(lease, name, f"model/{name}{f'@{place}' if place else ''}", f"The model {name}")


class ToolLine(_Line):
    """The way to a tool."""

    def __init__(self, lease: Lease, name: str) -> None:
        """For the session of `lease`."""
        super().__init__(lease, name, f"tool/{name}", f"The tool {name}")
