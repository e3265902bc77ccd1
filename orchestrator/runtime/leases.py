"""What a worker holds while it runs an agent, and the thread that keeps it alive."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import Error as DatabaseError
from django.db import transaction
from langgraph.runtime import RunControl

from agents.checkpoints.connections import scoped
from agents.errors import Fenced, HandedBack
from agents.models import AgentSession
from agents.services import leases, sessions
from agents.services.leases import Holding
from orchestrator.conf import runner_limits

GLANCE = 0.2  # seconds between looks at whether a resting agent is to stop
log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Lease:
    """A claimed session. `control` stops its graph at the next boundary; `lost` once another attempt owns it.

    `pauses` are those of the run, by the keys of the calls: only this attempt changes them.
    """

    holding: Holding
    control: RunControl = field(default_factory=RunControl)
    lost: bool = False
    pauses: dict[str, Any] = field(default_factory=dict)

    def lose(self) -> None:
        """Another attempt owns the session: nothing of this one may be written."""
        self.lost = True
        self.control.request_drain("lost")

    def attempt(self) -> int:
        """The attempt that must run the session where states are written. Raises Fenced once another one does."""
        if self.lost:
            raise Fenced
        return self.holding.attempt

    def refusal(self) -> Fenced:
        """A write was refused: another attempt owns the session."""
        self.lose()
        return Fenced()

    def obey(self, control: str) -> None:
        """Stop at the next boundary if a person wants that."""
        if control:
            self.control.request_drain(control)

    def rest(self, seconds: float) -> None:
        """Sleep for a step. Raises HandedBack as soon as the agent is to stop: it must not be held up by a pause."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.lost:
                raise Fenced
            if self.control.drain_requested:
                raise HandedBack
            time.sleep(min(left, GLANCE))

    @contextmanager
    def writing(self) -> Iterator[AgentSession]:
        """A transaction of this attempt with the session's row locked. Raises Fenced when it is not ours any more."""
        with scoped(), transaction.atomic():
            session = None if self.lost else sessions.lock_attempt(self.holding.session_id, self.holding.attempt)
            if session is None:
                self.lose()
                raise Fenced
            yield session


class Heart:
    """One thread and one statement a beat for all leases of the process."""

    def __init__(self) -> None:
        """Nothing beats before the first lease."""
        self._leases: dict[Holding, Lease] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_draining = False

    @contextmanager
    def keeping(self, lease: Lease) -> Iterator[Lease]:
        """Keep a lease alive while the block runs."""
        with self._lock:
            self._leases[lease.holding] = lease
            if self._is_draining:
                lease.control.request_drain("shutdown")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="heart")
                self._thread.start()
        try:
            yield lease
        finally:
            with self._lock:
                del self._leases[lease.holding]

    @property
    def is_draining(self) -> bool:
        """Is this process to stop? Then it must claim nothing."""
        return self._is_draining

    def drain(self) -> None:
        """Let all agents of this process stop at their next boundary, and those that come."""
        with self._lock:
            self._is_draining = True
            held = list(self._leases.values())
        for lease in held:
            lease.control.request_drain("shutdown")

    def held(self) -> list[Lease]:
        """What this process runs now."""
        with self._lock:
            return list(self._leases.values())

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(runner_limits().heartbeat.total_seconds()):
            with self._lock:
                held = dict(self._leases)
            if held:
                self._beat(held)

    def _beat(self, held: dict[Holding, Lease]) -> None:
        try:
            with scoped():
                alive = leases.beat(list(held), runner_limits().lease)
        except DatabaseError:
            log.warning("The database does not answer; %d leases run out by themselves.", len(held), exc_info=True)
            return
        for holding, lease in held.items():
            if holding in alive:
                lease.obey(alive[holding])
            else:
                lease.lose()


heart = Heart()
