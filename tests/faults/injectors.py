"""What each fault does to the stack."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import redis
from celery import current_app

from agents.lifecycle import SessionStatus
from agents.models import AgentSession
from agents.roles import Level
from orchestrator import dispatch
from orchestrator.conf import runner_limits
from orchestrator.env import environment
from tests.faults.schedule import Fault
from tests.faults.workers import SecondWorker
from tests.stack import Stack

CALM = 3.0  # seconds after a thaw, in which what was frozen in the middle of a call comes to its end


SECOND = "second"
KILLS = {
    Fault.KILL_WORKERS: "workers",
    Fault.KILL_COORDINATORS: "coordinators",
    Fault.KILL_SECOND: SECOND,
    Fault.KILL_SWEEPER: "sweeper",
    Fault.KILL_BEAT: "beat",
    Fault.KILL_WEB: "web",
    Fault.KILL_REDIS: "redis",
    Fault.KILL_POSTGRES: "postgres",
}
FREEZES = {Fault.FREEZE_WORKERS: "workers", Fault.FREEZE_SECOND: SECOND}


class NotNow(Exception):
    """There is nothing that the fault could be done to: its process is being started."""


@dataclass
class Injectors:
    """Does faults to a stack, and lets go on what is frozen."""

    stack: Stack
    second: SecondWorker
    _frozen: dict[int, float] = field(default_factory=dict)
    _thawed: float = 0.0

    def inject(self, fault: Fault) -> int | None:
        """Do it; returns the process that it hit, if it was one. Raises NotNow."""
        if fault in KILLS:
            return self._kill(KILLS[fault])
        if fault in FREEZES:
            return self._freeze(FREEZES[fault])
        MESSAGES[fault]()
        return None

    def pid(self, name: str) -> int:
        """The process of that name. Raises NotNow while there is none."""
        found = self.second.pid if name == SECOND else self.stack.pids.get(name)
        if found is None or found in self._frozen:
            raise NotNow
        return found

    def _kill(self, name: str) -> int | None:
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def _freeze(self, name: str) -> int | None:
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        limits = runner_limits()
        self._frozen[pid] = time.monotonic() + (limits.lease + limits.heartbeat).total_seconds()
        return pid

    def is_back(self, fault: Fault, killed: int | None) -> bool:
        """Does the process run again that the fault has killed or frozen?"""
        if killed is None:
            return True
        if fault in FREEZES:
            return killed not in self._frozen
        running = self.stack.pids.get(KILLS[fault]) if KILLS[fault] != SECOND else self.second.pid
        return running not in (None, killed)

    def tend(self) -> None:
        """Start what has died and nobody else starts, and let go on what has been frozen long enough."""
        self.second.keep()
        for pid, until in list(self._frozen.items()):
            if time.monotonic() >= until:
                os.kill(pid, signal.SIGCONT)
                del self._frozen[pid]
                self._thawed = time.monotonic()

    @property
    def is_calm(self) -> bool:
        """Is nothing frozen that could still come to the end of a call?"""
        return not self._frozen and time.monotonic() - self._thawed > CALM


def drop() -> None:
    """Lose the messages that no worker has taken yet."""
    with current_app.connection_for_write() as broker:
        for level in Level:
            broker.default_channel.queue_purge(level)


def double() -> None:
    """A further message for each that is under way, and one for nobody."""
    for level in Level:
        known = AgentSession.objects.filter(level=level, status__in=[SessionStatus.QUEUED, SessionStatus.RUNNING])
        dispatch.ring(level, known.count() + 1)


def flush() -> None:
    """Empty Redis: messages, presence, the pages' stream."""
    with redis.Redis.from_url(environment().redis_address) as client:
        client.flushall()


MESSAGES: Mapping[Fault, Callable[[], None]] = {
    Fault.DROP_MESSAGES: drop,
    Fault.DOUBLE_MESSAGES: double,
    Fault.FLUSH_REDIS: flush,
}
