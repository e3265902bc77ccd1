"""Everything that one machine runs: the servers, the web, the workers, beat and sweeper, in order."""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.env import BASE_DIR, Environment, inherited
from orchestrator.servers import forks
from orchestrator.servers.account import ServerError
from orchestrator.servers.child import Child
from orchestrator.servers.embedded import embedded_servers
from orchestrator.servers.folder import own, wait_for_servers_to_end
from orchestrator.servers.postgres import wait_for_postgres
from orchestrator.servers.redis import wait_for_redis
from orchestrator.supervisor import Console, Supervisor

HOST = "127.0.0.1"
DRAIN_SECONDS, STOP_SECONDS = 3.0, 4.2  # the kill of what is left then fits into five seconds
START_SECONDS = 60.0
ORPHAN_SECONDS = 20.0
MOST_STARTS_OF_WEB = 5
BACKLOG = 128
COORDINATOR_QUEUES = "queen,architect,specialist"
WORKER_QUEUES = "worker"
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
OTHER_CONNECTIONS = 120  # web, beat, sweeper, migrations, a person with psql


def pool_size(threads: int) -> int:
    """Database connections of a worker: its threads, and those in which a graph's nodes and saves run."""
    return threads * 3 + 4


class Stack:
    """One run of everything, from the first check to the last process's end."""

    def __init__(self, env: Environment, console: Console) -> None:
        self._env = env
        self._console = console
        self._supervisor = Supervisor(console)
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()

    async def run(self) -> int:
        """Until a signal asks for the end; returns the exit status. Raises ServerError if it cannot begin."""
        self._env.data.mkdir(parents=True, exist_ok=True)
        own(self._env.data)
        listener = listen(self._env.port)
        os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # with one a thread, glibc keeps each one's largest work
        forks.load()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._ask_to_stop)
        start = asyncio.create_task(self._start(listener))
        asked = asyncio.create_task(self._stop.wait())
        await asyncio.wait({start, asked}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if start.done():
                start.result()  # raises what went wrong
                await asked
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
        finally:
            listener.close()
            await self._supervisor.stop(drain=DRAIN_SECONDS, total=STOP_SECONDS, hurry=self._hurry)
        self._say("everything has ended")
        return 0

    def _ask_to_stop(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
            return
        self._say(f"ending, at most {STOP_SECONDS:.0f} s; once more ends it at once")
        self._stop.set()

    def _say(self, text: str) -> None:
        self._console.line("up", text)

    async def _start(self, listener: socket.socket) -> None:
        await self._start_servers()
        self._say("making the database ready")
        status, first_user = await self._supervisor.run_once(self._python("prepare", "manage.py", "prepare"))
        if status:
            raise ServerError("The database could not be made ready; the lines above say why.")
        self._start_web(listener)
        login = ["The first user, shown only now:", *first_user.splitlines(), ""] if first_user else []
        try:
            await self._until_web_answers()
        except BaseException:
            if login:  # there is no second time
                self._console.box(login)
            raise
        self._start_workers()
        address = f"Queenright: http://{HOST}:{self._env.port}/"
        self._console.box([address, "", *login, f"Data: {self._env.data}", "Ctrl-C ends everything."])

    async def _start_servers(self) -> None:
        """Those that no address was given for."""
        env = self._env
        if env.database_url and env.redis_url:
            return
        orphans_gone = await wait_for_servers_to_end(env.data, ORPHAN_SECONDS)
        servers = embedded_servers(
            env.data, env.run_dir, postgres=self._postgres_settings(), redis={}, inherits=(orphans_gone,)
        )
        if not env.database_url:
            self._say(f"starting PostgreSQL on {servers.postgres.folder}")
            await servers.postgres.create()
            self._supervisor.keep("postgres", servers.postgres.child, last=True)
            await wait_for_postgres(servers.postgres.dsn("postgres"), START_SECONDS)
        if not env.redis_url:
            self._say(f"starting Redis on {servers.redis.folder}")
            self._supervisor.keep("redis", servers.redis.child, last=True)
            await wait_for_redis(env.redis_address, START_SECONDS)

    def _postgres_settings(self) -> dict[str, str]:
        pools = sum(map(pool_size, (self._env.coordinator_threads, self._env.worker_threads)))
        return {
            "max_connections": str(pools + OTHER_CONNECTIONS),
            "shared_buffers": "256MB",
            "log_min_messages": "log",  # errors of statements are the application's to report
            "log_checkpoints": "off",
            "log_line_prefix": "",
            "jit": "off",
        }

    def _start_web(self, listener: socket.socket) -> None:
        """First and alone: it is what a person waits for."""
        web = self._python(
            *("web", "-m", "daphne", "--verbosity", "0", "--fd", str(listener.fileno())),
            "orchestrator.asgi:application",
            inherits=(listener.fileno(),),
        )
        self._keep(web)

    def _start_workers(self) -> None:
        self._keep(self._worker("coordinators", COORDINATOR_QUEUES, self._env.coordinator_threads))
        self._keep(self._worker("workers", WORKER_QUEUES, self._env.worker_threads))
        self._keep(self._python("sweeper", "manage.py", "sweep"))
        self._keep(self._celery("beat", "beat", "--schedule", str(self._env.data / "beat"), "--pidfile="))

    def _keep(self, child: Child) -> None:
        self._supervisor.keep(child.name, lambda: child)

    def _worker(self, name: str, queues: str, threads: int) -> Child:
        return self._celery(
            *(name, "worker", "--hostname", f"{name}@%h", "--queues", queues),
            *("--pool", "threads", "--concurrency", str(threads), "--without-gossip", "--without-mingle"),
            variables={
                "QUEENRIGHT_POOL_SIZE": str(pool_size(threads)),
                # what is left after DRAIN_SECONDS is killed: until then, agents must be handed back
                "QUEENRIGHT_DRAIN_SECONDS": str(min(self._env.drain_seconds, DRAIN_SECONDS - 1)),
                "QUEENRIGHT_IDLE_IN_TRANSACTION_SECONDS": "5",
            },
        )

    def _celery(self, name: str, *arguments: str, variables: Mapping[str, str] = NO_VARIABLES) -> Child:
        return self._python(name, "-m", "celery", "--quiet", "--app", "orchestrator", *arguments, variables=variables)

    def _python(
        self,
        name: str,
        *arguments: str,
        inherits: tuple[int, ...] = (),
        variables: Mapping[str, str] = NO_VARIABLES,
    ) -> Child:
        env = inherited(QUEENRIGHT_DATA=str(self._env.data), PYTHONUNBUFFERED="1", **variables)
        argv = (sys.executable, *arguments)
        return Child(name=name, argv=argv, env=env, cwd=BASE_DIR, inherits=inherits, forked=True)

    async def _until_web_answers(self) -> None:
        while not await _answers(self._env.port):
            if self._supervisor.starts("web") > MOST_STARTS_OF_WEB:
                raise ServerError("The web server does not start; the lines above say why.")
            await asyncio.sleep(0.1)


def listen(port: int) -> socket.socket:
    """The web's socket, which outlives each web process: a browser waits through a restart.

    Raises ServerError that names the port and its setting where it cannot be had.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise ServerError(f"Port {port} {why}: set PORT to another one, as in PORT=8001 make up.") from error
    return listener


async def _answers(port: int) -> bool:
    """Whether the web server has an answer that is not an error of its own."""
    request = f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status.startswith(b"HTTP/1.1 ") and status[9:10] < b"5"
