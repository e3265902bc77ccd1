"""Kills a mission's only worker right before or right after its n-th commit, for each n, and lets another one finish.

Each mission runs in two processes, forked from one that has imported all: the first is killed, the second finishes
and checks. A walk is over with the first mission that nobody was killed in.
"""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from importlib import import_module
from itertools import count, islice
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID

from celery import current_app
from django.db.backends.signals import connection_created
from django.db.models.functions import Now
from psycopg import Connection

from agents.checkpoints.statements import Statement
from agents.ids import new_id
from agents.lifecycle import FINAL, SessionStatus
from agents.models import AgentSession, SessionLease
from agents.roles import Level
from memory import embedders
from orchestrator import sweeper
from orchestrator.postgresql.base import DatabaseWrapper
from orchestrator.runtime import runner
from tests.faults import agents, checks, people, thinkers
from tests.faults.agents import WORLD, make_world
from tests.faults.plays import PLAYS, Play, Thought

T = TypeVar("T")


class Points:
    """Counts the commits and effects of this process, in whichever thread, and kills it at one of them.

    Who dies before each of them has died in every state of database and world that there is in between.
    """

    def __init__(self, dies_at: int, side: str, since: Callable[[], object] | None = None) -> None:
        """`side`: before or after. Those count that come when `since` holds."""
        self._dies_at, self._side, self._since = dies_at, side, since
        self._passed = 0
        self._lock = Lock()

    def passing(self, commit: Callable[[], T]) -> T:
        """Commit or have an effect, and die if it is time."""
        with self._lock:
            self._passed += self._since is None or bool(self._since())
            is_last = self._passed == self._dies_at
        if is_last and self._side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = commit()
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    def watch(self) -> None:
        """Stand at both changes of the world, and at all ways to a commit: of Django's transactions, its single
        statements, and the saver's."""
        commit, rows, passing = DatabaseWrapper.commit, Statement.rows, self.passing

        def committing(wrapper: DatabaseWrapper) -> None:
            passing(lambda: commit(wrapper))

        def writing(statement: Statement, connection: Connection[Any], parameters: Any) -> list[tuple[Any, ...]]:
            is_point = connection.autocommit and b"INSERT INTO" in statement.numbered
            send = partial(rows, statement, connection, parameters)
            return passing(send) if is_point else send()

        patch.object(DatabaseWrapper, "commit", committing).start()
        patch.object(Statement, "rows", writing).start()
        connection_created.connect(self._stand_by, weak=False)
        for effect in (agents.note, agents.know):
            patch.object(agents, effect.__name__, self._before(effect)).start()

    def _before(self, effect: Callable[..., None]) -> Callable[..., None]:
        return lambda *given: self.passing(lambda: effect(*given))

    def _stand_by(self, connection: Any, **kwargs: Any) -> None:
        if self._executing not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._executing)

    def _executing(self, execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if context["connection"].in_atomic_block or sql.lstrip().upper().startswith(("SELECT", "SET", "SHOW")):
            return execute(sql, parameters, many, context)
        return self.passing(lambda: execute(sql, parameters, many, context))


def work(root: UUID, name: str, play: Play) -> None:
    """Start the mission if nobody has, and do all that there is to be done for it, alone, until it ends."""
    if not AgentSession.objects.filter(pk=root).exists():
        play.start(root, name)
    for _ in range(100):
        if AgentSession.objects.get(pk=root).status in FINAL:
            return
        queued = AgentSession.objects.filter(root=root, status=SessionStatus.QUEUED).first()
        if queued is not None:
            runner.run_next(Level(queued.level))
        else:
            people.answer(root, is_calm=True)
            sweeper.requeue_lost()
            sweeper.deliver_signals()
            sweeper.attend_requests()
            sweeper.cancel_abandoned()
    raise AssertionError(f"{name} does not end: {checks.unfinished(root)}")


def die(points: Points, root: UUID, name: str, play: Play) -> None:
    """Work until it is time to die."""
    points.watch()
    work(root, name, play)


def take_over(root: UUID, name: str, play: Play) -> Sequence[str]:
    """Finish what a dead process began, without waiting for its leases; what is wrong then."""
    at_death = Thought.of(root, name)
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    work(root, name, play)
    return play.faults_of(root, name, at_death)


def forked(task: Callable[[], object]) -> int:
    """How a process ends that does `task` and nothing else; below zero: the signal that killed it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        wrong = task()
    except BaseException:  # noqa: BLE001  # a process that was forked must not go on as its parent
        wrong = traceback.format_exc()
    if wrong:
        sys.stdout.write(f"{wrong}\n")
    sys.stdout.flush()
    os._exit(1 if wrong else 0)


def prepare(name: str) -> None:
    """Make the world, and load what the processes of every mission would load again, as one of them tells."""
    folder = Path(os.environ[WORLD])
    make_world(folder)
    embedders.active().embed([thinkers.GOAL])
    preload(lambda: work(new_id(), "first", PLAYS[name]), folder / "loaded")


def preload(task: Callable[[], object], loaded: Path) -> None:
    """Make forks quick: load all that a process had loaded which did `task`. It notes that in the file `loaded`."""

    def tell() -> None:
        task()
        loaded.write_text("\n".join(sys.modules))

    forked(tell)
    for module in loaded.read_text().splitlines():
        with suppress(ImportError):  # there are some that only their package can make
            import_module(module)
    _ = current_app.backend  # Celery looks for it among the files of all packages, which takes a sixth of a second
    gc.collect()
    gc.freeze()  # a fork that looked for garbage in what it shares would copy all of it


def walk(name: str, side: str, first: int, step: int, most: int) -> int:
    """Die in a play `side` (before or after) each commit from the `first` on, in steps; how many missions went wrong.

    With `most` only that often, and counted from the first call of a model on. Prints a line a mission, after what was
    wrong with it.
    """
    play, wrong = PLAYS[name], 0
    for dies_at in islice(count(first, step), most or None):
        root, mission = new_id(), f"{name}-{side}-{dies_at}"
        points = Points(dies_at, side, partial(thinkers.model_calls, mission) if most else None)
        died = forked(partial(die, points, root, mission, play))
        finished = forked(partial(take_over, root, mission, play))
        sys.stdout.write(f"{name} {side} commit {dies_at}: {died}, then {finished}\n")
        wrong += finished != 0 or died not in (0, -signal.SIGKILL)
        if died != -signal.SIGKILL:
            break
    return wrong
