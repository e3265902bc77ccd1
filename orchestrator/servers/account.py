"""Who the servers run as, and folders that this account reaches and nobody else opens."""

import os
import pwd
import shutil
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFERRED_ACCOUNTS = ("postgres", "nobody")


class ServerError(Exception):
    """A server cannot run here; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int

    def popen(self) -> dict[str, Any]:
        """Arguments for `subprocess` that make a child run as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account(kept: Path) -> Account | None:
    """Who the servers run as; None: whoever we are.

    PostgreSQL refuses to run as root. `kept` is its data: an account that owns it already goes on owning it.
    initdb looks its account up by name, so it must be one that exists.
    """
    if os.geteuid() != 0:
        return None
    if kept.exists() and (owner := kept.stat().st_uid) != 0:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in PREFERRED_ACCOUNTS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServerError(f"PostgreSQL does not run as root, and there is no account {' or '.join(PREFERRED_ACCOUNTS)}.")


def reaches(account: Account | None, path: Path) -> bool:
    """Whether the account may search the folder, or run the file, at `path`."""
    if account is None:
        return os.access(path, os.X_OK)
    tried = subprocess.run(["/usr/bin/test", "-x", path], cwd="/", check=False, **account.popen())  # noqa: S603 - a path of ours
    return tried.returncode == 0


def private_folder(path: Path, account: Account | None) -> Path:
    """`path` as a folder that only the account may open. Refuses one that somebody else has put there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    ours = {os.geteuid(), account.uid if account else os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
        raise ServerError(f"{path} belongs to somebody else: remove it, or set QUEENRIGHT_DATA to another folder.")
    if account:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    path.chmod(0o700)
    return path


def reachable_copy(site: Path, parts: tuple[str, ...], account: Account | None, cache: Path) -> Path:
    """`site`, or `cache` with a copy of its `parts` where the account cannot reach them.

    Root's virtual environment often lies in root's private home; opening that up is not ours to do. `cache`
    must be named after the versions of what it holds. Returns the folder that has the parts.
    """
    if all(reaches(account, site / part) for part in parts):
        return site
    if not cache.exists():
        fresh = cache.with_name(f"{cache.name}.{os.getpid()}")
        for part in parts:
            shutil.copytree(site / part, fresh / part)
        for path in (fresh, *fresh.rglob("*")):
            wide = 0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644
            path.chmod(wide)
        fresh.rename(cache)
    if not all(reaches(account, cache / part) for part in parts):
        name = account.name if account else "this account"
        raise ServerError(f"{name} cannot reach {cache}: set QUEENRIGHT_DATA to a folder outside of private ones.")
    return cache
