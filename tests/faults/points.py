"""Kills a mission's only worker right before or right after its n-th commit, for each n, and lets another one finish.

Each mission runs in two processes, forked from one that has imported all: the first is killed, the second finishes
and checks. The walk is over with the first mission that nobody was killed in.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import count
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID

from django.db.backends.signals import connection_created
from django.db.models.functions import Now
from psycopg import Connection

from agents.checkpoints.statements import Statement
from agents.ids import new_id
from agents.lifecycle import FINAL, SessionStatus
from agents.models import AgentSession, SessionLease
from agents.roles import Level
from orchestrator import sweeper
from orchestrator.postgresql.base import DatabaseWrapper
from orchestrator.runtime import runner
from orchestrator.runtime.agent_types import graph_for
from tests.faults import checks, people
from tests.faults.agents import WORLD, make_world
from tests.faults.mission import start, workers

T = TypeVar("T")


class Points:
    """Counts the commits of this process, in whichever thread, and kills it at one of them."""

    def __init__(self, dies_at: int, side: str) -> None:
        """`side`: before or after."""
        self._dies_at, self._side = dies_at, side
        self._passed = 0
        self._lock = Lock()

    def passing(self, commit: Callable[[], T]) -> T:
        """Commit, and die if it is time."""
        with self._lock:
            self._passed += 1
            is_last = self._passed == self._dies_at
        if is_last and self._side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = commit()
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    def watch(self) -> None:
        """Stand at all three ways to a commit: of Django's transactions, its single statements, and the saver's."""
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

    def _stand_by(self, connection: Any, **kwargs: Any) -> None:
        if self._executing not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._executing)

    def _executing(self, execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if context["connection"].in_atomic_block or sql.lstrip().upper().startswith(("SELECT", "SET", "SHOW")):
            return execute(sql, parameters, many, context)
        return self.passing(lambda: execute(sql, parameters, many, context))


def work(root: UUID, name: str, below: Sequence[int]) -> None:
    """Start the mission if nobody has, and do all that there is to be done for it, alone, until it ends."""
    if not AgentSession.objects.filter(pk=root).exists():
        start(root, name, below)
    for _ in range(100):
        if AgentSession.objects.get(pk=root).status in FINAL:
            return
        queued = AgentSession.objects.filter(root=root, status=SessionStatus.QUEUED).first()
        if queued is not None:
            runner.run_next(Level(queued.level))
        else:
            people.answer(root, is_calm=True)
            sweeper.requeue_lost()
            sweeper.cancel_abandoned()
    raise AssertionError(f"{name} does not end")


def die(dies_at: int, side: str, root: UUID, name: str, below: Sequence[int]) -> None:
    """Work until it is time to die."""
    Points(dies_at, side).watch()
    work(root, name, below)


def take_over(root: UUID, name: str, below: Sequence[int]) -> Sequence[str]:
    """Finish what a dead process began, without waiting for its leases; what is wrong then."""
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    work(root, name, below)
    agents = sum(prod(below[:levels]) for levels in range(len(below) + 1))
    return checks.faults_of(root, workers(name, below), agents)


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


def walk(side: str, first: int, step: int, below: Sequence[int]) -> int:
    """Die `side` (before or after) each commit from the `first` on, in steps; how many missions went wrong.

    Prints a line a mission, after what was wrong with it.
    """
    make_world(Path(os.environ[WORLD]))
    for level in Level:
        graph_for(f"faults.{level}")
    wrong = 0
    for dies_at in count(first, step):
        root, name = new_id(), f"{side}{dies_at}"

        died = forked(partial(die, dies_at, side, root, name, below))
        finished = forked(partial(take_over, root, name, below))
        sys.stdout.write(f"{side} commit {dies_at}: {died}, then {finished}\n")
        wrong += finished != 0 or died not in (0, -signal.SIGKILL)
        if died != -signal.SIGKILL:
            return wrong
    raise AssertionError("count() never ends")
