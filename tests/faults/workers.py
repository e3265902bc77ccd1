"""A second worker beside those of the stack: where one is frozen, there is another that can take over."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from orchestrator.env import BASE_DIR
from orchestrator.servers.child import die_with_parent

QUEUES = "queen,architect,specialist,worker"
THREADS = 8


class SecondWorker:
    """A Celery worker of all levels, which is started again whenever it has died."""

    def __init__(self, variables: Mapping[str, str], log: Path) -> None:
        """`variables`: its environment."""
        self._variables, self._log = dict(variables), log
        self._process: subprocess.Popen[bytes] | None = None

    def keep(self) -> None:
        """Start it unless it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "--quiet", "--app", "orchestrator", "worker"),
                    *("--hostname", "second@%h", "--queues", QUEUES, "--pool", "threads"),
                    *("--concurrency", str(THREADS), "--without-gossip", "--without-mingle"),
                ],
                cwd=BASE_DIR,
                env=os.environ | self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    @property
    def pid(self) -> int | None:
        """Its process, if it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def end(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
