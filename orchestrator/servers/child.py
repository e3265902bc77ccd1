"""A process that lives no longer than its parent."""

import ctypes
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.env import BASE_DIR
from orchestrator.servers.account import Account

PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends `signum` to the new process when the thread that made it ends.

    So children must be made by the main thread. The kernel forgets the setting when the process changes its
    user; `subprocess` does that before it calls `preexec_fn`. Linux only: see prctl(2).
    """
    parent = os.getpid()

    def arrange() -> None:
        die_with(signum)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return arrange


def die_with(signum: signal.Signals) -> None:
    """Have the kernel send `signum` to this process when its parent ends. Raises OSError."""
    if _libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@dataclass(frozen=True, kw_only=True)
class Child:
    """How to run one process, and how to end it.

    `stop` asks it to end, `urgent` is what it gets if it has not, `orphaned` if its parent dies. `forked`: `argv` is a
    program of this Python, which begins with its libraries loaded; it cannot have an account of its own.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path = BASE_DIR
    stop: signal.Signals = signal.SIGTERM
    urgent: signal.Signals = signal.SIGKILL
    orphaned: signal.Signals = signal.SIGKILL
    account: Account | None = None
    inherits: tuple[int, ...] = ()
    forked: bool = False

    def popen(self) -> dict[str, Any]:
        """Arguments for `subprocess.Popen` and its asyncio twin; the process leads a session of its own."""
        identity = self.account.popen() if self.account else {}
        return {
            "env": dict(self.env),
            "cwd": self.cwd,
            "pass_fds": self.inherits,
            "start_new_session": True,
            "preexec_fn": die_with_parent(self.orphaned),
            **identity,
        }
