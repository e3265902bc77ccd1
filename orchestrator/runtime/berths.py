"""A bulkhead in each worker: the agents of one project leave some of its threads to other projects."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from agents.roles import Level
from orchestrator import dispatch


class Berths:
    """What this process runs of each project. `threads` is 0 where it is no worker; then nothing is full."""

    def __init__(self) -> None:
        """Empty."""
        self.threads = 0
        self._taken: Counter[UUID] = Counter()
        self._owed: Counter[Level] = Counter()
        self._lock = threading.Lock()

    def full(self, share: float) -> list[UUID]:
        """The projects that have their `share` of the threads; one is always theirs."""
        most = max(1, int(self.threads * share))
        with self._lock:
            return [project for project, taken in self._taken.items() if self.threads and taken >= most]

    def owe(self, level: Level) -> None:
        """A message for this level found only sessions of full projects: it is sent again once there is room."""
        with self._lock:
            self._owed[level] += 1

    @contextmanager
    def taken(self, project_id: UUID) -> Iterator[None]:
        """A session of the project runs in this block."""
        with self._lock:
            self._taken[project_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[project_id] -= 1
                if not self._taken[project_id]:
                    del self._taken[project_id]
                owed = next(iter(self._owed), None)
                if owed is not None:
                    self._owed[owed] -= 1
                    self._owed += Counter()  # leaves out what is paid
            if owed is not None:
                dispatch.ring(owed)


berths = Berths()
