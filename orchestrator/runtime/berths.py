"""A bulkhead in each worker: while other projects have work, one leaves them some of its threads."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID


class Berths:
    """What this process runs of each project. `threads` is 0 where it is no worker; then nothing is full."""

    def __init__(self) -> None:
        """Empty."""
        self.threads = 0
        self._taken: Counter[UUID] = Counter()
        self._lock = threading.Lock()

    def full(self, share: float) -> list[UUID]:
        """The projects that have their `share` of the threads; one is always theirs."""
        most = max(1, int(self.threads * share))
        with self._lock:
            return [project for project, taken in self._taken.items() if self.threads and taken >= most]

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


berths = Berths()
