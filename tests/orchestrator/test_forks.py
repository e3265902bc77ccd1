"""Processes of the fork server: what they begin with, and how they end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.servers.child import Child
from orchestrator.servers.forks import LIBRARIES, fork
from tests.stack import PATIENCE, eventually, is_alive

pytestmark = pytest.mark.xdist_group("forks")
TELLS = """
import atexit, json, os, sys
atexit.register(print, "registered for the end")
print(json.dumps({
    "argv": sys.argv,
    "env": dict(os.environ),
    "cwd": os.getcwd(),
    "files": sorted(map(int, os.listdir("/proc/self/fd"))),
    "leads": os.getsid(0) == os.getpid(),
    "stdin": sys.stdin.read(),
    "name": __name__,
    "main": sys.modules["__main__"].__file__,
    "loaded": "langgraph.graph" in sys.modules,
    "title": open("/proc/self/cmdline").read().rstrip("\\0"),
}))
print("to the log", file=sys.stderr)
sys.exit(3)
"""


def child(program: Path, *arguments: str, **fields) -> Child:
    argv = (sys.executable, str(program), *arguments)
    return Child(name="forked", argv=argv, env={"ONLY": "this"}, cwd=Path("/"), forked=True, **fields)


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"

    def write(text: str) -> Path:
        path.write_text(text)
        return path

    return write


async def to_the_end(kind: Child) -> tuple[int, str, str]:
    """The exit status, what was written, and what was logged."""
    with tempfile.TemporaryFile("w+") as wrote, tempfile.TemporaryFile("w+") as logged:
        process = await fork(kind, stdout=wrote.fileno(), stderr=logged.fileno())
        status = await asyncio.wait_for(process.wait(), PATIENCE)
        assert process.returncode == status
        wrote.seek(0)
        logged.seek(0)
        return status, wrote.read(), logged.read()


def test_fork_begins_as_a_program_of_its_own_would(program):
    read, write = os.pipe()
    status, wrote, logged = asyncio.run(to_the_end(child(program(TELLS), "--some", "words", inherits=(read,))))
    os.close(read)
    os.close(write)
    path = str(program(TELLS))
    first, last = wrote.splitlines()
    told = json.loads(first)
    files = told.pop("files")
    assert {0, 1, 2, read} < set(files)
    assert len(files) == 5  # one is the folder that was read to list them
    assert told == {
        "argv": [path, "--some", "words"],
        "env": {"ONLY": "this"},
        "cwd": "/",
        "leads": True,
        "stdin": "",
        "name": "__main__",
        "main": path,
        "loaded": True,
        "title": f"queenright forked: {path} --some words",
    }
    assert last == "registered for the end"
    assert logged == "to the log\n"
    assert status == 3


def test_module_runs_as_it_does_by_dash_m(tmp_path):
    status, wrote, _ = asyncio.run(to_the_end(child(Path("-m"), "json.tool", "--help")))
    assert status == 0
    assert "usage:" in wrote


def test_what_a_fork_raises_is_logged(program):
    status, _, logged = asyncio.run(to_the_end(child(program("raise ValueError('as it was meant')"))))
    assert status == 1
    assert "ValueError: as it was meant" in logged


def test_signal_ends_a_fork_and_is_told(program):
    async def scenario():
        with tempfile.TemporaryFile() as log:
            process = await fork(
                child(program("import time; time.sleep(600)")), stdout=log.fileno(), stderr=log.fileno()
            )
            assert process.returncode is None
            process.send_signal(signal.SIGTERM)
            return process, await asyncio.wait_for(process.wait(), PATIENCE)

    process, status = asyncio.run(scenario())
    assert status == -signal.SIGTERM
    assert not is_alive(process.pid)


def test_start_that_is_cancelled_leaves_no_process(program, tmp_path):
    mark = tmp_path / "mark"
    text = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(600)"

    async def scenario():
        with tempfile.TemporaryFile() as log:
            starting = asyncio.create_task(fork(child(program(text)), stdout=log.fileno(), stderr=log.fileno()))
            await asyncio.sleep(0)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting

    asyncio.run(scenario())
    assert not mark.exists() or not is_alive(int(mark.read_text()))


def test_forks_die_with_whoever_had_them_made(program):
    """Killed, it cannot do anything about it: its fork server sees it go, and the kernel sees that one go."""
    text = f"""
import asyncio, sys
from tests.orchestrator.test_forks import child
from orchestrator.servers.forks import fork
from pathlib import Path
async def main():
    process = await fork(child(Path({str(program("import time; time.sleep(600)"))!r})), stdout=1, stderr=2)
    print(process.pid, flush=True)
    await process.wait()
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    forked = int(parent.stdout.readline())
    assert is_alive(forked)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not is_alive(forked))


def test_libraries_start_no_thread_and_open_nothing():
    """A fork has only the thread that forked, and shares what is open with its siblings."""
    text = (
        f"import importlib, os, threading; before = os.listdir('/proc/self/fd')\n"
        f"for name in {LIBRARIES}: importlib.import_module(name)\n"
        "print(threading.active_count(), os.listdir('/proc/self/fd') == before)"
    )
    told = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (0, "1 True\n", "")
