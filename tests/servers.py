"""A PostgreSQL and a Redis for one run of the tests, fast because nothing of them has to last."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import redis

from orchestrator.servers.child import Child
from orchestrator.servers.embedded import EmbeddedServers, embedded_servers
from orchestrator.servers.postgres import wait_for_postgres
from orchestrator.servers.provision import provision
from orchestrator.servers.redis import wait_for_redis

NOTHING_LASTS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "400",
    "log_checkpoints": "off",
    "log_min_messages": "fatal",  # tests provoke errors on purpose
}
REDIS_DATABASES = 64
START_SECONDS = 120


def claim_folder(prefix: str) -> tuple[Path, int]:
    """An empty folder that no other run of the tests uses, and its lock.

    Folders are numbered and taken again, so that runs which were killed leave a bounded mess. They lie in
    the folder for temporary files: an unprivileged account must reach them, and sockets need short paths.
    """
    for number in count():
        folder = Path(tempfile.gettempdir()) / f"{prefix}-{os.geteuid()}-{number}"
        folder.mkdir(mode=0o755, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            continue
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        for left in folder.iterdir():
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()
        return folder, lock
    raise AssertionError("count() never ends")


def describe(folder: Path, lock: int) -> EmbeddedServers:
    """The run's two servers; they hold the folder's lock as long as they live."""
    return embedded_servers(
        folder,
        folder / "run",
        postgres=NOTHING_LASTS,
        redis={"databases": str(REDIS_DATABASES), "appendonly": "no"},
        inherits=(lock,),
    )


@contextmanager
def running(child: Child, log: Path):
    """The child's process, which writes to a log, ended on the way out."""
    with log.open("wb") as output:
        process = subprocess.Popen(child.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **child.popen())
    try:
        yield process
    finally:
        process.send_signal(child.stop)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def both_servers(folder: Path, lock: int):
    """Both servers, ready, with the role that the application takes; the folder is emptied afterwards."""
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        servers = describe(folder, lock)
        asyncio.run(servers.postgres.create(durable=False))
        stack.enter_context(running(servers.postgres.child(), folder / "postgres.log"))
        stack.enter_context(running(servers.redis.child(), folder / "redis.log"))
        asyncio.run(wait_for_postgres(servers.postgres.dsn("postgres"), START_SECONDS))
        asyncio.run(wait_for_redis(f"unix://{servers.redis.socket}", START_SECONDS))
        provision(servers.postgres.dsn("queenright"), "queenright", embedded=True)
        yield servers


def cut_redis_connections() -> int:
    """Break all connections to this process's own Redis database; how many there were. Others share the server."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as own:
        number, myself = own.connection_pool.connection_kwargs["db"], own.client_id()
        others = [one for one in own.client_list() if int(one["db"]) == number and int(one["id"]) != myself]
        return sum(own.client_kill_filter(_id=one["id"]) for one in others)
