"""A bounded cache."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
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
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The entry, or None."""
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        """Remember `value`; one that alone weighs more than the limit is not kept."""
        with self._lock:
            self._forget(key)
            if self._weigh(value) > self.limit:
                return
            self._entries[key] = value
            self._weight += self._weigh(value)
            while self._weight > self.limit:
                self._forget(next(iter(self._entries)))

    def drop(self, key: K) -> None:
        """Forget the entry, if it is there."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: K) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)
