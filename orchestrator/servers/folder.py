"""One owner at a time for a data folder, by locks that the kernel drops when their holder dies."""

import asyncio
import fcntl
import os
from pathlib import Path

from orchestrator.servers.account import ServerError


def own(data: Path) -> int:
    """Lock the folder for this process; returns the lock's descriptor. ServerError if another has it."""
    descriptor = os.open(data / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode() or "unknown"
        os.close(descriptor)
        raise ServerError(
            f"Queenright already runs on {data} (process {holder}): stop that one,"
            " or set QUEENRIGHT_DATA to another folder."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


async def wait_for_servers_to_end(data: Path, seconds: float) -> int:
    """The lock that servers of this folder inherit, once no server holds it any more.

    When their supervisor is killed, servers take a moment to write what they have and end; until then a new
    one would find them in its way. Returns the descriptor to hand down; raises ServerError after `seconds`.
    """
    descriptor = os.open(data / "servers.lock", os.O_RDWR | os.O_CREAT, 0o600)
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() > end:
                os.close(descriptor)
                raise ServerError(f"A PostgreSQL or Redis of an earlier start still runs on {data}.") from None
            await asyncio.sleep(0.1)
        else:
            return descriptor
