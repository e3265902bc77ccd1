"""PostgreSQL goes down and comes back while states are saved: what was acknowledged is there, and work goes on."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from urllib.parse import quote

import psycopg
import pytest

from orchestrator.env import BASE_DIR
from orchestrator.servers.embedded import embedded_servers
from orchestrator.servers.postgres import Postgres, wait_for_postgres
from orchestrator.servers.provision import provision
from tests.servers import START_SECONDS, claim_folder
from tests.stack import PATIENCE

DRIVER = """
import django; django.setup()
from tests import restart_driver
restart_driver.main()
"""
SETTINGS = {"fsync": "off", "log_min_messages": "panic"}  # the machine stays up; a commit is in its memory


class OwnPostgres:
    """A server of this test's own, which may be ended in any way."""

    def __init__(self, postgres: Postgres, log: Path) -> None:
        self.postgres, self._log = postgres, log
        self.start()

    def start(self) -> None:
        child = self.postgres.child()
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                child.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **child.popen()
            )
        self.wait()

    def wait(self) -> None:
        asyncio.run(wait_for_postgres(self.postgres.dsn("postgres"), START_SECONDS))

    def end(self, number: signal.Signals) -> None:
        """SIGINT: it ends all sessions and writes everything down. SIGQUIT: it drops all at once."""
        self._process.send_signal(number)
        self._process.wait(START_SECONDS)

    def kill_a_session(self) -> None:
        """The server then ends all others, too, and recovers by itself."""
        with psycopg.connect(self.postgres.dsn("postgres"), autocommit=True) as link:
            row = link.execute("SELECT min(pid) FROM pg_stat_activity WHERE datname = 'queenright'").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGKILL)


@pytest.fixture
def server() -> Iterator[OwnPostgres]:
    folder, lock = claim_folder("queenright-restarts")
    try:
        parts = embedded_servers(folder, folder / "run", postgres=SETTINGS, redis={}, inherits=(lock,))
        asyncio.run(parts.postgres.create(durable=False))
        own = OwnPostgres(parts.postgres, folder / "postgres.log")
        try:
            provision(parts.postgres.dsn("queenright"), "queenright", embedded=True)
            yield own
        finally:
            own.end(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


class Driver:
    """Threads that save and read in a process with a pool, as a worker has one."""

    def __init__(self, server: OwnPostgres, folder: Path) -> None:
        sockets = quote(str(server.postgres.sockets), safe="")
        self._env = os.environ | {
            "DATABASE_URL": f"postgresql://postgres@localhost/queenright?host={sockets}",
            "QUEENRIGHT_POOL_SIZE": "5",
            "QUEENRIGHT_DATA": str(folder),
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
        }
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=BASE_DIR, env=self._env, check=True)
        self._log = (folder / "driver.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            cwd=BASE_DIR,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def acknowledge(self, more: int) -> None:
        """Wait until so many more states were acknowledged, roughly."""
        assert self._process.stdout is not None
        first = None
        patience = Timer(PATIENCE, self._process.kill)
        patience.start()
        try:
            for line in self._process.stdout:
                first = int(line) if first is None else first
                if int(line) >= first + more:
                    return
        finally:
            patience.cancel()
        pytest.fail(f"it ended, or did not go on: {self._errors()}")

    def finish(self) -> dict:
        """Let it stop; what it found."""
        output, _ = self._process.communicate(timeout=START_SECONDS)
        assert self._process.returncode == 0, self._errors()
        return json.loads(output.splitlines()[-1])

    def _errors(self) -> str:
        self._log.seek(0)
        return self._log.read()[-8000:]

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()


@pytest.fixture
def driver(server: OwnPostgres, tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(server, tmp_path)
    yield driver
    driver.end()


def test_what_was_acknowledged_survives_restarts_and_crashes_and_work_goes_on(server: OwnPostgres, driver: Driver):
    driver.acknowledge(40)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):
        server.end(number)
        server.start()
        driver.acknowledge(40)
    for _ in range(2):
        server.kill_a_session()
        server.wait()
        driver.acknowledge(40)
    found = driver.finish()
    assert found["states"] == found["acknowledged"] > 6 * 40
    assert found["refusals"], "nobody noticed"
    assert found["damaged"] == 0
