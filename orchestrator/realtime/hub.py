"""One hub per server process: it reads the streams of the projects that have sockets here and serves them.

Memory is bounded by what facts are about, not by events: of facts of one type about one thing a socket keeps the
newest until it is sent, and what waits goes out as one frame. A socket that is too far behind is told to reset,
which means: reload what you show.
"""

import asyncio
import contextlib
import json
import logging
import re
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.exceptions import RedisError

from orchestrator.env import environment
from orchestrator.realtime.feed import START, Fact, from_fields, stream

logger = logging.getLogger(__name__)

MAX_WAITING = 1000  # facts that may wait for one socket
MAX_REPLAY = 4000  # entries that are worth replaying
BLOCK_MS = 20_000  # how long one XREAD waits for news
READ_COUNT = 500  # entries of one stream that one XREAD takes
_CURSOR = re.compile(r"\d{1,15}-\d{1,15}")


class FeedUnavailable(Exception):
    """Redis does not answer; try again later."""


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)


class Subscriber:
    """One socket: what waits for it."""

    def __init__(self) -> None:
        self.cursor = START  # never what a page claims: only what the stream has
        self._waiting: dict[tuple[str, str], Fact] = {}
        self._reset = False
        self._failed = False
        self._replayed = START
        self._news = asyncio.Event()

    def offer(self, entry_id: str, fact: Fact) -> None:
        """Keep a fact until the next frame. Entries come in the stream's order; doubles are dropped."""
        if _order(entry_id) > _order(self._replayed):
            self._keep(entry_id, fact)
            self._news.set()

    def begin(self, missed: list[tuple[str, Fact]], latest: str, *, reset: bool) -> None:
        """Put what was missed before what came in meanwhile. The first frame can go out now."""
        meanwhile, self._waiting = self._waiting, {}
        self._reset = reset or self._reset
        for entry_id, fact in missed:
            self._keep(entry_id, fact)
        self._waiting |= meanwhile
        self._replayed = latest
        self.cursor = max(self.cursor, latest, key=_order)
        self._news.set()

    def fail(self) -> None:
        """There will be no more facts."""
        self._failed = True
        self._news.set()

    async def frame(self, patience: float) -> str:
        """The next frame as JSON: facts, a reset, or after `patience` seconds only the cursor, as a sign of life.

        Raises FeedUnavailable when the feed has failed.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), patience)
        self._news.clear()
        if self._failed:
            raise FeedUnavailable
        frame: dict[str, Any] = {"cursor": self.cursor}
        if self._reset:
            frame["reset"] = True
        elif self._waiting:
            frame["facts"] = [[fact.type, fact.key, fact.mission] for fact in self._waiting.values()]
        self._waiting, self._reset = {}, False
        return json.dumps(frame, separators=(",", ":"))

    def _keep(self, entry_id: str, fact: Fact) -> None:
        self.cursor = max(self.cursor, entry_id, key=_order)
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
            self._reset = True
        self._waiting[fact.type, fact.key] = fact


class Hub:
    """Reads each stream once for all of this process's sockets."""

    def __init__(self, address: str) -> None:
        self._redis: Redis = Redis.from_url(address, decode_responses=True, socket_connect_timeout=2)
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._positions: dict[str, str] = {}
        self._reader: asyncio.Task[None] | None = None

    async def join(self, project_id: UUID, cursor: str) -> Subscriber:
        """A new socket that has seen everything up to `cursor`. Raises FeedUnavailable when Redis is away."""
        name = stream(project_id)
        subscriber = Subscriber()
        self._subscribers.setdefault(name, set()).add(subscriber)
        try:
            missed, latest, reset = await self._replay(name, cursor if _CURSOR.fullmatch(cursor) else START)
        except (RedisError, OSError) as error:
            self.leave(project_id, subscriber)
            raise FeedUnavailable from error
        subscriber.begin(missed, latest, reset=reset)
        if name in self._subscribers and name not in self._positions:
            self._positions[name] = latest
            self._restart()
        return subscriber

    def leave(self, project_id: UUID, subscriber: Subscriber) -> None:
        """The socket is gone."""
        name = stream(project_id)
        others = self._subscribers.get(name, set())
        others.discard(subscriber)
        if not others:
            self._subscribers.pop(name, None)
            if self._positions.pop(name, None):
                self._restart()

    async def close(self) -> None:
        """End the reader and the connections."""
        self._positions.clear()
        self._restart()
        await self._redis.aclose()

    async def _replay(self, name: str, cursor: str) -> tuple[list[tuple[str, Fact]], str, bool]:
        """What came after `cursor`, the latest id, and whether something may be missing in between.

        The entry of the cursor itself must still be there: if it is trimmed, later ones may be as well.
        """
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xrange(name, min=cursor, count=MAX_REPLAY + 1)
            pipeline.xrevrange(name, count=1)
            entries, last = await pipeline.execute()
        latest = last[0][0] if last else START
        if latest == cursor or (not last and cursor == START):
            return [], latest, False
        if not entries or entries[0][0] != cursor or len(entries) > MAX_REPLAY:
            return [], latest, True
        return [(entry_id, from_fields(fields)) for entry_id, fields in entries[1:]], latest, False

    def _restart(self) -> None:
        """Read the streams as they are wanted now. Safe at any point: a position moves only with its delivery."""
        if self._reader:
            self._reader.cancel()
        self._reader = asyncio.create_task(self._read(), name="live-hub") if self._positions else None

    async def _read(self) -> None:
        try:
            while True:
                streams: dict[Any, Any] = dict(self._positions)
                for name, entries in await self._redis.xread(streams, count=READ_COUNT, block=BLOCK_MS) or []:
                    self._deliver(name, entries)
        except (RedisError, OSError) as error:
            logger.warning("live feed: Redis is away, sockets are closed: %s", error)
            self._fail()
        except Exception:  # or the sockets would go on giving signs of life, and no facts
            logger.exception("live feed: it cannot be read, sockets are closed")
            self._fail()

    def _deliver(self, name: str, entries: list[tuple[str, dict[str, str]]]) -> None:
        for entry_id, fields in entries:
            fact = from_fields(fields)
            for subscriber in self._subscribers.get(name, ()):
                subscriber.offer(entry_id, fact)
            self._positions[name] = entry_id

    def _fail(self) -> None:
        for subscribers in self._subscribers.values():
            for subscriber in subscribers:
                subscriber.fail()
        self._subscribers.clear()
        self._positions.clear()
        self._reader = None


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of this process: of the running loop, which a server has one of."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(environment().redis_address)
    return _hubs[loop]
