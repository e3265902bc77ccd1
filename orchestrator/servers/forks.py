"""Python processes that begin with their libraries loaded: forked from one that has loaded them.

To load them takes seconds of a processor, for each process of the stack anew. The fork server of `multiprocessing`
loads them once; a fork of it has only Queenright's own modules left to load.
"""

import asyncio
import atexit
import fcntl
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, cast

from setproctitle import setproctitle

from orchestrator.servers.child import Child, die_with

LIBRARIES = (
    "celery.apps.worker",
    "celery.bin.celery",
    "channels.generic.websocket",
    "django.contrib.admin.utils",
    "django.core.management",
    "kombu.transport.redis",
    "langgraph.graph",
    "numpy",
    "psycopg_pool",
    "psycopg.types.json",
    "redis.asyncio",
)  # none of them may start a thread or open a connection when it is imported: a fork has only one thread
OUT_OF_THE_WAY_FD = 500

_fork_server = multiprocessing.get_context("forkserver")
_fork_server.set_forkserver_preload(list(LIBRARIES))


class Forked:
    """A process that was forked; like asyncio's `Process`, as far as a supervisor needs it."""

    def __init__(self, process: ForkServerProcess, pid: int) -> None:
        """`process` runs. To be made while the loop runs."""
        self._process, self.pid = process, pid
        self._loop = asyncio.get_running_loop()
        self._code: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(process.sentinel, self._over)

    def _over(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._process.join()
        self._code.set_result(self._process.exitcode or 0)
        self._process.close()

    @property
    def returncode(self) -> int | None:
        """How it has ended, less than 0 by a signal; None while it runs."""
        return self._code.result() if self._code.done() else None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it. Raises ProcessLookupError if the process has ended."""
        os.kill(self.pid, number)

    async def wait(self) -> int:
        """How it ends."""
        return await asyncio.shield(self._code)


class _Passed:
    """A file descriptor on its way to another process, where it is a number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (DupFd(self._number),)


def _arrived(passed: Any) -> int:
    return int(passed.detach())


def load() -> None:
    """Have the libraries loaded in the background, before anybody waits for them."""
    forkserver.ensure_running()


async def fork(child: Child, *, stdout: int, stderr: int) -> Forked:
    """Start the Python program of `child.argv`, which names the interpreter, then `-m` and a module, or a file.

    The first call waits for the libraries, and so does the first after the fork server was killed, which takes its
    forks along.
    """
    passed = {number: _Passed(number) for number in child.inherits}
    process = _fork_server.Process(
        target=_become,
        args=(child.name, child.argv[1:], dict(child.env), child.cwd, child.orphaned),
        kwargs={"passed": {1: _Passed(stdout), 2: _Passed(stderr), **passed}},
        daemon=True,
    )
    starting = asyncio.ensure_future(asyncio.to_thread(process.start))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await starting
        process.kill()
        raise
    return Forked(process, cast(int, process.pid))


def _become(
    name: str,
    argv: tuple[str, ...],
    env: Mapping[str, str],
    cwd: Path,
    orphaned: signal.Signals,
    *,
    passed: Mapping[int, int],
) -> None:
    """In the fork: what `subprocess` arranges for a program of its own, then the program."""
    setproctitle(f"queenright {name}: {' '.join(argv)}")  # finds its place by the environment: before that changes
    os.setsid()
    die_with(orphaned)
    parent = multiprocessing.parent_process()
    if parent is None or not parent.is_alive():  # it died before the kernel knew
        os._exit(1)
    _arrange(passed)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    try:
        if argv[0] == "-m":
            sys.argv = list(argv[1:])
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(argv)
            runpy.run_path(argv[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out


def _arrange(passed: Mapping[int, int]) -> None:
    """Give each file the number it is known by, and close all others."""
    kept = {number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY_FD) for number, fd in passed.items()}
    os.closerange(0, OUT_OF_THE_WAY_FD)
    os.open(os.devnull, os.O_RDONLY)  # gets the lowest number, 0
    for number, fd in kept.items():
        os.dup2(fd, number)
    os.closerange(OUT_OF_THE_WAY_FD, max(kept.values()) + 1)
    sys.stdin = os.fdopen(0, closefd=False)
    for stream in (sys.stdout, sys.stderr):
        cast(TextIOWrapper, stream).reconfigure(line_buffering=True, write_through=True)
