"""`manage.py up` as a person meets it: starts, deaths, endings. One stack serves most tests, in this order."""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from orchestrator.env import BASE_DIR
from orchestrator.servers.account import Account, reaches
from tests.servers import claim_folder
from tests.stack import PATIENCE, Stack, eventually, is_alive, running_stack

pytestmark = pytest.mark.xdist_group("up")
SERVERS = ("postgres", "redis")
NOBODY = Account("nobody", 65534, 65534)
APPLICATION = ("web", "coordinators", "workers", "sweeper", "beat")


@pytest.fixture(scope="module")
def stack():
    with running_stack() as stack:
        yield stack


@pytest.fixture
def folder():
    folder, lock = claim_folder("queenright-up")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def all_pids(stack: Stack) -> list[int]:
    return [stack.pid(name) for name in (*SERVERS, *APPLICATION)]


def fork_server(stack: Stack) -> int:
    return int(Path(f"/proc/{stack.pid('web')}/stat").read_text().rpartition(")")[2].split()[1])


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def users(stack: Stack) -> list[str]:
    with psycopg.connect(host=str(stack.data / "run"), user="postgres", dbname="queenright") as connection:
        return [name for (name,) in connection.execute("SELECT username FROM users")]


def test_start_shows_address_and_first_user(stack):
    assert f"{stack.url}/" in stack.output
    assert len(stack.password) >= 10
    assert users(stack) == [stack.name]
    assert stack.get() == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="root's case")
def test_as_root_servers_run_as_an_unprivileged_account(stack):
    owners = {name: owner(stack.pid(name)) for name in (*SERVERS, "web")}
    assert owners["web"] == 0
    assert owners["postgres"] == owners["redis"] != 0
    assert (stack.data / "postgres").stat().st_uid == owners["postgres"]


@pytest.mark.parametrize("name", [*SERVERS, *APPLICATION])
def test_killed_process_comes_back_and_says_so(stack, name):
    old = stack.pid(name)
    new = stack.kill(name)
    assert new != old
    assert "killed by SIGKILL; starting again" in stack.output
    eventually(lambda: stack.get() == 200)


def test_killed_fork_server_takes_its_forks_along_and_all_come_back(stack):
    old = {name: stack.pid(name) for name in APPLICATION}
    os.kill(fork_server(stack), signal.SIGKILL)
    for name, pid in old.items():
        stack.wait_for(lambda name=name, pid=pid: stack.pids.get(name) not in (None, pid), f"a new {name}")
        assert not is_alive(pid)
    eventually(lambda: stack.get() == 200)


def test_browser_waits_while_web_is_started_again(stack):
    os.kill(web := stack.pid("web"), signal.SIGKILL)
    eventually(lambda: not is_alive(web))
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda _: stack.get(), range(4))) == [200] * 4


def delete_data(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "delete_data"],
        cwd=BASE_DIR,
        env={"QUEENRIGHT_DATA": str(folder), "PATH": os.defpath},
        capture_output=True,
        text=True,
    )


def test_data_of_a_running_stack_is_not_deleted(stack):
    assert "already runs on" in delete_data(stack.data).stderr
    assert stack.get() == 200


def test_folder_that_never_was_queenrights_is_not_deleted(folder):
    (folder / "letters").touch()
    assert "has never run on" in delete_data(folder).stderr
    assert (folder / "letters").exists()


def test_second_start_on_the_same_folder_is_refused(stack):
    second = Stack(stack.data).start()
    assert second.process.wait(PATIENCE) == 1
    second.stop()
    assert str(stack.data) in second.output
    assert "QUEENRIGHT_DATA" in second.output
    assert stack.get() == 200


def test_port_in_use_is_refused_before_anything_starts(stack, folder):
    second = Stack(folder / "data", port=stack.port).start()
    assert second.process.wait(PATIENCE) == 1
    second.stop()
    assert f"Port {stack.port} is in use" in second.output
    assert "PORT=" in second.output
    assert not (folder / "data" / "postgres").exists()


def test_everything_dies_with_a_killed_supervisor_and_the_next_start_works(stack):
    pids = all_pids(stack)
    stack.stop(signal.SIGKILL)
    stack.start().wait()
    assert not any(map(is_alive, pids))
    assert stack.get() == 200
    assert "shown only now" not in stack.output
    assert len(users(stack)) == 1


def test_ctrl_c_leaves_no_process_and_nothing_is_lost(stack):
    pids, last = all_pids(stack), fork_server(stack)
    assert stack.stop(signal.SIGINT) == 0
    assert not any(map(is_alive, pids))
    eventually(lambda: not is_alive(last))  # it ends when it sees that its parent has
    assert "everything has ended" in stack.output
    assert not (stack.data / "postgres" / "postmaster.pid").exists()


def test_data_is_deleted_when_asked(stack):
    assert delete_data(stack.data).returncode == 0
    assert not stack.data.exists()


def test_given_servers_replace_the_embedded_ones(folder):
    given = Stack(
        folder / "data",
        DATABASE_URL=f"postgresql://me:secret@localhost/given?host={folder}",
        REDIS_URL=os.environ["REDIS_URL"],
    ).start()
    assert given.process.wait(PATIENCE) == 1
    given.stop()
    assert "The database cannot be made ready" in given.output
    assert "secret" not in given.output
    assert given.pids == {}
    assert not (folder / "data" / "postgres").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_account_runs_everything_as_itself(folder):
    os.chown(folder, NOBODY.uid, NOBODY.gid)
    become = (
        *("setpriv", "--reuid", str(NOBODY.uid), "--regid", str(NOBODY.gid), "--clear-groups"),
        *("--pdeathsig", "KILL", *rights_to_read_the_interpreter()),
    )
    stack = Stack(folder / "data", prefix=become, HOME=str(folder)).start()
    try:
        stack.wait()
        assert {owner(pid) for pid in all_pids(stack)} == {NOBODY.uid}
        assert stack.get() == 200
    finally:
        assert stack.stop(signal.SIGHUP) == 0


def rights_to_read_the_interpreter() -> tuple[str, ...]:
    """Nothing more than an ordinary account has, unless Python lies in root's private home."""
    if reaches(NOBODY, Path(sys.executable)):
        return ()
    return ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")


@pytest.mark.skipif(os.geteuid() != 0, reason="an account reaches its own folders")
def test_private_folder_that_the_servers_cannot_reach_is_refused_by_name(folder):
    private = folder / "private"
    private.mkdir(mode=0o700)
    refused = Stack(private / "data").start()
    assert refused.process.wait(PATIENCE) == 1
    refused.stop()
    assert str(private / "data") in refused.output
    assert "QUEENRIGHT_DATA" in refused.output
    assert private.stat().st_mode & 0o777 == 0o700


def test_bad_settings_are_refused_in_plain_words(folder):
    bad = Stack(folder / "data", QUEENRIGHT_WORKER_THREADS="many", QUEENRIGHT_SWEEP_SECONDS="-1").start()
    assert bad.process.wait(PATIENCE) == 1
    bad.stop()
    assert "QUEENRIGHT_WORKER_THREADS" in bad.output
    assert "QUEENRIGHT_SWEEP_SECONDS" in bad.output
    assert "Traceback" not in bad.output
