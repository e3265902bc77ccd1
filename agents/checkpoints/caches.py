"""A bounded cache."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Forgets what was used longest ago once its entries weigh more than `limit`. Safe among threads."""

    def __init__(self, limit: int, weigh: Callable[[V], int] = lambda value: 1) -> None:
        """`weigh` gives an entry's weight, one by default."""
        self.limit = limit
        self._weigh = weigh
        self._weight = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The entry, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def get_many(self, keys: Iterable[K]) -> dict[K, V]:
        """Those of the entries that are there."""
        found: dict[K, V] = {}
        with self._lock:
            for key in keys:
                entry = self._entries.get(key)
                if entry is not None:
                    self._entries.move_to_end(key)
                    found[key] = entry[0]
        return found

    def put(self, key: K, value: V) -> None:
        """Remember `value`; one that alone weighs more than the limit is not kept."""
        weight = self._weigh(value)
        with self._lock:
            self._keep(key, value, weight)

    def put_many(self, entries: Iterable[tuple[K, V]]) -> None:
        """Remember each of them, as `put` does."""
        with self._lock:
            for key, value in entries:
                self._keep(key, value, self._weigh(value))

    def drop(self, key: K) -> None:
        """Forget the entry, if it is there."""
        with self._lock:
            self._forget(key)

    def _keep(self, key: K, value: V, weight: int) -> None:
        if key in self._entries:
            self._forget(key)
        if weight > self.limit:
            return
        self._entries[key] = value, weight
        self._weight += weight
        while self._weight > self.limit:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._weight -= entry[1]
