"""Processes that hold leases: what they are called, and which of them have died."""

import os
import socket
from collections.abc import Iterable
from functools import cache
from pathlib import Path


@cache
def _prefix() -> str:
    """What the names of all processes begin with that this one could see.

    A process's number means one process only within a boot of a machine and a namespace (namespaces(7)): two
    machines may have one name, and the containers of one machine number their processes each for itself.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # not Linux
        return ""
    return f"{socket.gethostname()}:{boot}.{space}:"


def this_process() -> str:
    """Its name as a holder of leases."""
    return f"{_prefix() or socket.gethostname() + ':'}{os.getpid()}"


def dead(holders: Iterable[str]) -> list[str]:
    """Those of which this process can tell that they have died; of the others, only their leases tell."""
    prefix = _prefix()
    return [name for name in holders if prefix and name.startswith(prefix) and not _runs(name.removeprefix(prefix))]


def _runs(number: str) -> bool:
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
