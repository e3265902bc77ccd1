"""The embedded servers: what is left behind, who may open what, what a database is given."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql

from orchestrator.servers import account as accounts
from orchestrator.servers.account import Account, ServerError, private_folder, reachable_copy, server_account
from orchestrator.servers.folder import own, wait_for_servers_to_end
from orchestrator.servers.postgres import wait_for_postgres
from orchestrator.servers.provision import provision
from orchestrator.servers.redis import wait_for_redis
from tests.servers import START_SECONDS, claim_folder, describe, running
from tests.stack import eventually, is_alive

pytestmark = pytest.mark.xdist_group("servers")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root's case")
NOBODY = Account("nobody", 65534, 65534)


@pytest.fixture(scope="module")
def servers():
    folder, lock = claim_folder("queenright-servers")
    servers = describe(folder, lock)
    asyncio.run(servers.postgres.create(durable=False))
    yield servers
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def answers(postgres) -> bool:
    asyncio.run(wait_for_postgres(postgres.dsn("postgres"), START_SECONDS))
    return True


def leave_pid_file(postgres, pid: int) -> Path:
    """What a server leaves that had no time to clean up, with the number of some process."""
    lines = [pid, postgres.folder, int(time.time()), 5432, postgres.sockets, "", "  1  1"]
    for lock in (postgres.folder / "postmaster.pid", postgres.sockets / ".s.PGSQL.5432.lock"):
        lock.write_text("\n".join(map(str, lines)) + "\n")
        owner = postgres.folder.stat()
        os.chown(lock, owner.st_uid, owner.st_gid)
        lock.chmod(0o600)
    return postgres.folder / "postmaster.pid"


@pytest.fixture
def stranger():
    """A process of the account that servers run as, which is no server."""
    account = server_account(Path("/nowhere"))
    identity = account.popen() if account else {}
    process = subprocess.Popen(["sleep", "600"], cwd="/", **identity)
    yield process
    process.kill()
    process.wait()


def test_pid_file_of_a_stranger_is_removed_and_the_server_starts(servers, log, stranger):
    left = leave_pid_file(servers.postgres, stranger.pid)
    child = servers.postgres.child()
    assert not left.exists()
    with running(child, log):
        assert answers(servers.postgres)


def test_pid_file_of_a_zombie_is_removed_and_the_server_starts(servers, log, stranger):
    stranger.kill()
    eventually(lambda: not is_alive(stranger.pid))  # and nobody has waited for it
    left = leave_pid_file(servers.postgres, stranger.pid)
    child = servers.postgres.child()
    assert not left.exists()
    with running(child, log):
        assert answers(servers.postgres)


def test_pid_file_of_a_process_that_is_gone_is_left_to_postgresql(servers, log, stranger):
    stranger.kill()
    stranger.wait()
    left = leave_pid_file(servers.postgres, stranger.pid)
    child = servers.postgres.child()
    assert left.exists()
    with running(child, log):
        assert answers(servers.postgres)


def test_pid_file_of_a_running_server_is_kept(servers, log):
    with running(servers.postgres.child(), log) as process:
        assert answers(servers.postgres)
        servers.postgres.clear_orphaned_lock()
        assert (servers.postgres.folder / "postmaster.pid").read_text().startswith(f"{process.pid}\n")


def test_pid_file_is_kept_while_backends_of_a_dead_server_are_at_work(servers, log, stranger):
    """Without the file PostgreSQL would not see them, and two generations would write to the same data."""
    with running(servers.postgres.child(), log) as process:
        assert answers(servers.postgres)
        with psycopg.connect(servers.postgres.dsn("postgres")) as connection:
            backend = connection.info.backend_pid
            os.kill(backend, signal.SIGSTOP)
            process.kill()
            process.wait()
            try:
                left = leave_pid_file(servers.postgres, stranger.pid)
                servers.postgres.clear_orphaned_lock()
                assert left.exists()
            finally:
                os.kill(backend, signal.SIGCONT)
            connection.close()
    eventually(lambda: not servers.postgres._at_work())  # a new server refuses to start beside any of them
    with running(servers.postgres.child(), log):
        assert answers(servers.postgres)


def test_server_killed_in_mid_air_comes_back_with_what_was_committed(servers, log):
    durable = replace(servers.postgres, settings={"synchronous_commit": "on"})
    with running(durable.child(), log) as process:
        assert answers(servers.postgres)
        with psycopg.connect(servers.postgres.dsn("postgres"), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        process.kill()
        process.wait()
    eventually(lambda: not servers.postgres._at_work())
    with running(durable.child(), log):
        assert answers(servers.postgres)
        with psycopg.connect(servers.postgres.dsn("postgres"), autocommit=True) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
            connection.execute("DROP TABLE kept")


def test_redis_keeps_what_it_was_told_through_a_kill(servers, log):
    durable = replace(servers.redis, settings={"appendonly": "yes", "appendfsync": "always"})
    address = f"unix://{durable.socket}"
    with running(durable.child(), log) as process, redis.Redis.from_url(address) as client:
        asyncio.run(wait_for_redis(address, START_SECONDS))
        client.set("kept", "yes")
        process.kill()
        process.wait()
    with running(durable.child(), log), redis.Redis.from_url(address) as client:
        asyncio.run(wait_for_redis(address, START_SECONDS))
        assert client.get("kept") == b"yes"


def test_interrupted_creation_leaves_nothing_that_looks_like_a_cluster(servers, tmp_path):
    fresh = servers.postgres.folder.with_name("second")
    (half := fresh.with_name("second.new")).mkdir()
    (half / "PG_VERSION").write_text("18\n")
    second = replace(servers.postgres, folder=fresh)
    asyncio.run(second.create(durable=False))
    assert not half.exists()
    assert (fresh / "global" / "pg_control").exists()
    assert fresh.stat().st_mode & 0o777 == 0o700


def test_cluster_of_another_version_is_refused(servers, tmp_path):
    (tmp_path / "PG_VERSION").write_text("16\n")
    with pytest.raises(ServerError, match="made by PostgreSQL 16"):
        asyncio.run(replace(servers.postgres, folder=tmp_path).create())


def test_servers_answer_only_on_sockets(servers, log):
    with running(servers.postgres.child(), log), running(servers.redis.child(), log):
        assert answers(servers.postgres)
        with psycopg.connect(servers.postgres.dsn("postgres")) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    assert servers.postgres.sockets.stat().st_mode & 0o777 == 0o700


def test_secrets_of_the_application_are_not_in_the_servers_environment(servers, monkeypatch):
    monkeypatch.setenv("QUEENRIGHT_MODEL_API_KEY", "secret")
    for child in (servers.postgres.child(), servers.redis.child()):
        assert "secret" not in child.env.values()


def test_folder_has_one_owner(tmp_path):
    lock = own(tmp_path)
    with pytest.raises(ServerError, match=f"{tmp_path} .process {os.getpid()}"):
        own(tmp_path)
    os.close(lock)
    os.close(own(tmp_path))


def test_next_start_waits_until_servers_of_the_last_one_have_ended(tmp_path):
    lock = asyncio.run(wait_for_servers_to_end(tmp_path, 1))
    orphan = subprocess.Popen(["sleep", "600"], pass_fds=[lock])
    os.close(lock)
    with pytest.raises(ServerError, match="still runs"):
        asyncio.run(wait_for_servers_to_end(tmp_path, 0.2))
    orphan.kill()
    orphan.wait()
    os.close(asyncio.run(wait_for_servers_to_end(tmp_path, START_SECONDS)))


def test_folder_that_somebody_else_has_put_there_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ServerError, match="somebody else"):
        private_folder(tmp_path / "run", None)


@as_root
def test_folder_of_a_foreign_account_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", 12345, 12345)
    with pytest.raises(ServerError, match="somebody else"):
        private_folder(tmp_path / "run", NOBODY)


@as_root
def test_existing_data_decides_the_account(tmp_path):
    os.chown(tmp_path, NOBODY.uid, NOBODY.gid)
    assert server_account(tmp_path) == Account("nobody", NOBODY.uid, server_account(tmp_path).gid)


@as_root
def test_programs_in_a_private_home_are_copied_not_opened(servers):
    folder, lock = claim_folder("queenright-private")
    site = folder / "site"
    (site / "bin").mkdir(parents=True)
    program = site / "bin" / "program"
    program.write_text("#!/bin/sh\necho works\n")
    program.chmod(0o700)
    site.chmod(0o700)
    try:
        copy = reachable_copy(site, ("bin",), NOBODY, folder / "copy")
        assert copy == folder / "copy"
        said = subprocess.run([copy / "bin" / "program"], capture_output=True, text=True, cwd="/", **NOBODY.popen())
        assert said.stdout == "works\n"
        assert site.stat().st_mode & 0o777 == 0o700
        assert reachable_copy(site, ("bin",), NOBODY, folder / "copy") == copy
    finally:
        shutil.rmtree(folder)
        os.close(lock)


def test_no_account_to_run_as_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(accounts, "PREFERRED_ACCOUNTS", ("no-such-account",))
    with pytest.raises(ServerError, match="no-such-account"):
        server_account(tmp_path / "new")


class TestProvision:
    """On the run's server, with roles and databases of this class's own."""

    @pytest.fixture
    def admin(self):
        address = os.environ["DATABASE_URL"].replace("/queenright?", "/postgres?")
        with psycopg.connect(address, autocommit=True) as connection:
            yield connection

    @pytest.fixture
    def database(self, admin):
        """An empty database without the extension, owned by an account that is not a superuser."""
        name = f"given_{os.getpid()}"
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {0} OWNER {0} TEMPLATE template0").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{name}_role")))
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    def address(self, admin, database: str, user: str) -> str:
        return psycopg.conninfo.make_conninfo("", host=admin.info.host, dbname=database, user=user)

    def test_superuser_gets_an_ordinary_role_and_the_extension(self, admin, database):
        dsn, role = self.address(admin, database, "postgres"), f"{database}_role"
        provision(dsn, role)
        provision(dsn, role)
        with psycopg.connect(dsn) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            connection.execute("CREATE TABLE made (v vector(2))")
            rights = connection.execute("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = %s", [role])
            assert rights.fetchone() == (False, False)

    def test_ordinary_account_without_the_role_is_told_what_to_do(self, admin, database):
        with pytest.raises(ServerError, match="QUEENRIGHT_DATABASE_ROLE"):
            provision(self.address(admin, database, database), f"{database}_role")

    def test_role_that_the_account_may_not_take_is_named(self, admin, database):
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(f"{database}_role")))
        with pytest.raises(ServerError, match="may not take the role"):
            provision(self.address(admin, database, database), f"{database}_role")

    def test_missing_extension_is_named(self, admin, database):
        with pytest.raises(ServerError, match="CREATE EXTENSION vector"):
            provision(self.address(admin, database, database), "")

    def test_account_without_a_role_of_its_own_works_as_itself(self, admin, database):
        with psycopg.connect(self.address(admin, database, "postgres"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
        provision(self.address(admin, database, database), "")

    def test_server_that_is_not_there_is_said(self, tmp_path):
        with pytest.raises(ServerError, match="cannot be made ready"):
            provision(f"host={tmp_path} dbname=none user=postgres", "queenright")
