"""What `test_restarts` does inside a process of its own: threads save and read, whatever happens to PostgreSQL.

It prints how much was acknowledged so far, and ends when its input does: then with what it found.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from django.db import OperationalError, connection
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig

from agents.checkpoints import QueenrightSaver
from agents.models import AgentState, Project, User
from agents.services import threads
from orchestrator.runtime.states import AtRest
from tests.agents.checkpoints.checkpoints import at, checkpoint_of, config_for, named

T = TypeVar("T")
LONG = "a text that is stored once " * 20
TOLD_EVERY = 20


def values_at(step: int) -> dict[str, Any]:
    """What the checkpoint of a step holds."""
    messages = [AIMessage(f"{number} {LONG}", id=str(number)) for number in range(step % 30)]
    return {"step": step, "text": f"{step} {LONG}", "messages": messages}


@dataclass
class Walk:
    """One thread of LangGraph's that goes on and on. `insists`: it saves again what was not acknowledged.

    Otherwise it reads the latest state and goes on from that, as a worker does that takes an agent up again.
    """

    saver: QueenrightSaver
    insists: bool
    is_async: bool
    stop: Event
    acknowledge: Callable[[], None]
    config: RunnableConfig = field(default_factory=config_for)
    refusals: Counter[str] = field(default_factory=Counter)
    saved: list[RunnableConfig] = field(default_factory=list)

    def run(self) -> None:
        """Until it is stopped."""
        at: RunnableConfig = self.config
        while not self.stop.is_set():
            at = self._follow(at, len(self.saved))

    def _follow(self, before: RunnableConfig, step: int) -> RunnableConfig:
        made = checkpoint_of(values_at(step), {name: f"{step}" for name in values_at(step)})
        save = partial(self._put, before, made)
        stored = self._insist(save) if self.insists else self._once(save)
        if stored is None:
            found = self._insist(lambda: self.saver.get_tuple(self.config))
            if found is None or found.checkpoint["id"] != made["id"]:
                assert (named(found.config) if found else self.config) == named(before), (
                    "what was acknowledged is not the latest"
                )
                return before
            stored = found.config
        self.saved.append(named(stored))
        self.acknowledge()
        self._insist(lambda: self.saver.put_writes(stored, [("note", f"{step} note {LONG}"), ("n", step)], "task"))
        assert self._insist(lambda: at(self.saver, self.config)) == named(stored)
        return stored

    def _put(self, before: RunnableConfig, made: Any) -> RunnableConfig:
        if self.is_async:
            return asyncio.run(self.saver.aput(before, made, {}, made["channel_versions"]))
        return self.saver.put(before, made, {}, made["channel_versions"])

    def _once(self, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except OperationalError as error:
            self.refusals[type(error.__cause__).__name__] += 1
            return None

    def _insist(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except OperationalError as error:
                self.refusals[type(error.__cause__).__name__] += 1
                self.stop.wait(0.02)

    def check(self) -> int:
        """Whether all that was acknowledged is there, in one line; how many states that are."""
        cold = QueenrightSaver()
        found = list(cold.list(self.config))
        assert [one.config for one in found] == self.saved[::-1]
        assert [one.parent_config for one in found] == [*self.saved[:-1][::-1], None]
        for step, one in enumerate(reversed(found)):
            assert one.checkpoint["channel_values"] == values_at(step)
            written = [("task", "note", f"{step} note {LONG}"), ("task", "n", step)]
            assert one.pending_writes == written or (one is found[0] and not one.pending_writes)
        return len(found)


def tell(line: str) -> None:
    """To the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def wait_for_the_end(stop: Event) -> None:
    """Of the input, which the test closes."""
    os.read(sys.stdin.fileno(), 1)
    stop.set()


def main() -> None:
    """Walk until the input ends."""
    project = Project.objects.create(slug="restarts", name="Restarts")
    owner = User.objects.create(username="walker")
    connection.close()  # or this thread would hold on to one that dies
    stop, lock, acknowledged = Event(), Lock(), Counter[str]()

    def acknowledge() -> None:
        with lock:
            acknowledged["all"] += 1
            if acknowledged["all"] % TOLD_EVERY == 0:
                tell(str(acknowledged["all"]))

    ensure = threads.for_project(project, owner)
    savers = [
        QueenrightSaver(ensure_thread=ensure),
        QueenrightSaver(ensure_thread=ensure, fence=lambda config: AtRest()),
    ]
    walks = [
        Walk(saver, insists, is_async, stop, acknowledge)
        for saver in savers
        for insists in (True, False)
        for is_async in (False, True)
    ]
    with ThreadPoolExecutor(len(walks)) as pool:
        running = [pool.submit(walk.run) for walk in walks]
        for one in running:
            one.add_done_callback(lambda done: stop.set() if done.exception() else None)
        Thread(target=wait_for_the_end, args=(stop,), daemon=True).start()
        stop.wait()
        for one in running:
            one.result()
    report = {
        "states": sum(walk.check() for walk in walks),
        "acknowledged": acknowledged["all"],
        "refusals": dict(sum((walk.refusals for walk in walks), Counter())),
        "damaged": AgentState.objects.exclude(damaged_at=None).count(),
    }
    tell(json.dumps(report))
