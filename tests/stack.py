"""The whole of Queenright as a person starts it: `manage.py up` on a free port, with a data folder of its own.

@pytest.fixture(scope="session")
def stack():
    with running_stack() as stack:
        yield stack                      # stack.url, stack.name, stack.password, stack.kill("workers")
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from orchestrator.env import BASE_DIR
from orchestrator.servers.child import die_with_parent
from tests.servers import claim_folder

PATIENCE = 600  # seconds, on a machine that has much else to do
STARTED = re.compile(r"(\w+) *\| started, process (\d+)")
ENDED = re.compile(r"(\w+) *\| (?:ended with|killed by|cannot start)")


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(fact, *, seconds: float = PATIENCE, message: str = ""):
    """The first true value of `fact()`. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := fact()):
        assert time.monotonic() < end, message or f"not within {seconds} s: {fact}"
        time.sleep(0.05)
    return value


class Stack:
    """One `manage.py up`. `variables` are added to an environment that has none of Queenright's own."""

    def __init__(self, data: Path, *, port: int | None = None, prefix: tuple[str, ...] = (), **variables: str) -> None:
        self.data, self.port = data, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.name = self.password = ""
        self._prefix, self._variables = prefix, variables
        self._lines: list[str] = []
        self._news = Condition()

    def start(self) -> "Stack":
        """Start it and return at once."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("QUEENRIGHT_") and name not in {"DATABASE_URL", "REDIS_URL", "PORT"}
        }
        self._lines = []
        self.process = subprocess.Popen(
            [*self._prefix, sys.executable, "manage.py", "up"],
            cwd=BASE_DIR,
            env=kept | {"PORT": str(self.port), "QUEENRIGHT_DATA": str(self.data)} | self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self._reader = Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        return self

    def _read(self, stream) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self._lines.append(line.rstrip("\n"))
                    self._news.notify_all()

    @property
    def output(self) -> str:
        """All that it has printed since its start."""
        with self._news:
            return "\n".join(self._lines)

    def wait_for(self, fact, what: str):
        """The first true value of `fact()`, looked at with each line. Fails if it ends before, or takes too long."""
        end = time.monotonic() + PATIENCE
        while not (value := fact()):
            running = self.process.poll() is None
            in_time = time.monotonic() < end
            assert running and in_time, f"{what} did not happen:\n{self.output}"
            with self._news:
                self._news.wait(0.1)
        return value

    def wait(self) -> "Stack":
        """Return when it has printed its address and the first user's name and password, if there are any."""
        self.wait_for(lambda: "Ctrl-C ends everything." in self.output, "the start")
        if login := re.search(r"name: (\S+)\s*\|\n\| *password: (\S+)", self.output):
            self.name, self.password = login.groups()
        return self

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run now, by name."""
        found: dict[str, int] = {}
        for line in self.output.splitlines():
            if started := STARTED.search(line):
                found[started[1]] = int(started[2])
            elif ended := ENDED.search(line):
                found.pop(ended[1], None)
        return found

    def pid(self, name: str) -> int:
        """The process of that name, as soon as it runs."""
        return self.wait_for(lambda: self.pids.get(name), f"the start of {name}")

    def get(self, path: str = "/healthz") -> int:
        """The HTTP status of a page, 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as response:
                return response.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Kill a process and return when another stands in its place; returns the new process's number."""
        old = self.pid(name)
        os.kill(old, number)
        self.wait_for(lambda: self.pids.get(name) != old, f"the end of {name}")
        return self.pid(name)

    def restart(self) -> "Stack":
        """End it in good order and start it again on the same data and port."""
        self.stop()
        return self.start().wait()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end and wait for it; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._reader.join()


@contextmanager
def running_stack(**variables: Any):
    """A stack that is ready, on an empty data folder; ended and its folder emptied afterwards."""
    folder, lock = claim_folder("queenright-stack")
    stack = Stack(folder / "data", port=None, prefix=(), **variables).start()
    try:
        yield stack.wait()
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
