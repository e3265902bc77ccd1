"""The supervisor, with small processes of the test's own: no deadline here is about speed."""

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.servers.child import Child
from orchestrator.supervisor import Console, Supervisor
from tests.stack import PATIENCE, eventually, is_alive

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


NOTES_SIGNAL = """
import pathlib, signal, sys, time
def note(*_):
    with pathlib.Path({path!r}).open("a") as file:
        file.write({text!r})
    sys.exit()
signal.signal({number}, note)
print("up", flush=True)
time.sleep(600)
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def python(name: str, code: str, **fields) -> Child:
    return Child(name=name, argv=(sys.executable, "-c", code), env={"PATH": os.defpath}, cwd=Path("/"), **fields)


class Run:
    """A supervisor on a buffer, driven from a coroutine."""

    def __init__(self) -> None:
        self.screen = io.StringIO()
        self.supervisor = Supervisor(Console(self.screen))
        self.hurry = asyncio.Event()

    async def until(self, fact):
        async with asyncio.timeout(PATIENCE):
            while not (value := fact()):
                await asyncio.sleep(0.02)
        return value

    async def says(self, text: str) -> None:
        await self.until(lambda: text in self.screen.getvalue())

    async def stop(self, drain: float = PATIENCE, total: float = PATIENCE) -> None:
        await self.supervisor.stop(drain=drain, total=total, hurry=self.hurry)


def test_process_that_ends_is_started_again_with_longer_pauses():
    async def scenario():
        run = Run()
        run.supervisor.keep("short", lambda: python("short", "print('here'); raise SystemExit(3)"))
        await run.until(lambda: run.supervisor.starts("short") == 3)
        await run.stop()
        return run.screen.getvalue()

    said = asyncio.run(scenario())
    assert "short       | here" in said
    assert "ended with status 3; starting again in 0.2 s" in said
    assert "ended with status 3; starting again in 0.4 s" in said


def test_process_that_cannot_start_does_not_end_the_others():
    async def scenario():
        run = Run()
        run.supervisor.keep("sound", lambda: python("sound", "import time; print('well', flush=True); time.sleep(600)"))
        run.supervisor.keep("broken", lambda: Child(name="broken", argv=("/nowhere",), env={}))
        await run.says("cannot start")
        await run.says("well")
        starts = run.supervisor.starts("sound")
        await run.stop()
        return starts

    assert asyncio.run(scenario()) == 1


def test_process_deaf_to_the_end_is_killed_with_its_children():
    with_child = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); {DEAF}"
    )

    async def scenario():
        run = Run()
        run.supervisor.keep("deaf", lambda: python("deaf", with_child))
        await run.says("| deaf")
        pid = int(run.screen.getvalue().split("started, process ")[1].split()[0])
        await run.stop(drain=0.1)
        return pid

    leader = asyncio.run(scenario())
    assert not is_alive(leader)
    eventually(lambda: not any(session(pid) == leader for pid in processes()))


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_alive(int(path.name))]


def session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def test_impatience_kills_at_once():
    async def scenario():
        run = Run()
        run.supervisor.keep("deaf", lambda: python("deaf", DEAF))
        await run.says("| deaf")
        run.hurry.set()
        async with asyncio.timeout(PATIENCE / 2):
            await run.stop()
        return run.screen.getvalue()

    assert asyncio.run(scenario())


def test_databases_end_after_all_who_use_them(tmp_path):
    def noted(name: str) -> Child:
        return python(
            name, NOTES_SIGNAL.format(number=int(signal.SIGTERM), path=str(tmp_path / "order"), text=f"{name} ")
        )

    async def scenario():
        run = Run()
        run.supervisor.keep("base", lambda: noted("base"), last=True)
        run.supervisor.keep("user", lambda: noted("user"))
        await run.says("user        | up")
        await run.says("base        | up")
        await run.stop()

    asyncio.run(scenario())
    assert (tmp_path / "order").read_text() == "user base "


def test_urgent_signal_comes_before_the_kill(tmp_path):
    left = tmp_path / "left"
    code = "import signal; signal.signal(2, signal.SIG_IGN)\n" + NOTES_SIGNAL.format(
        number=int(signal.SIGQUIT), path=str(left), text="x"
    )

    async def scenario():
        run = Run()
        run.supervisor.keep("base", lambda: python("base", code, stop=signal.SIGINT, urgent=signal.SIGQUIT), last=True)
        await run.says("| up")
        await run.stop(total=0.1)

    asyncio.run(scenario())
    assert left.exists()


def test_grandchild_that_keeps_the_pipe_does_not_hold_up_a_new_start():
    code = """
import subprocess
print("left", subprocess.Popen(["sleep", "600"], start_new_session=True).pid, flush=True)
"""

    async def scenario():
        run = Run()
        run.supervisor.keep("parent", lambda: python("parent", code))
        await run.until(lambda: run.supervisor.starts("parent") == 2)
        await run.stop()
        return [int(pid) for pid in re.findall(r"left (\d+)", run.screen.getvalue())]

    left = asyncio.run(scenario())
    assert left
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def test_line_without_end_neither_grows_nor_blocks():
    code = "import sys; sys.stdout.write('x' * 1_000_000); sys.stdout.flush(); print(); print('after', flush=True)"

    async def scenario():
        run = Run()
        run.supervisor.keep("chatty", lambda: python("chatty", code))
        await run.says("after")
        await run.stop()
        return run.screen.getvalue()

    said = asyncio.run(scenario())
    assert max(map(len, said.splitlines())) < 70_000


def test_last_words_without_a_line_end_are_passed_on():
    async def scenario():
        run = Run()
        run.supervisor.keep("brief", lambda: python("brief", "import sys; sys.stderr.write('no newline')"))
        await run.says("no newline")
        await run.stop()

    asyncio.run(scenario())


def test_one_run_returns_what_was_written_and_passes_on_what_was_logged():
    async def scenario():
        run = Run()
        code = "import sys; print('result'); print('progress', file=sys.stderr); sys.exit(4)"
        outcome = await run.supervisor.run_once(python("once", code))
        return outcome, run.screen.getvalue()

    outcome, said = asyncio.run(scenario())
    assert outcome == (4, "result\n")
    assert "once        | progress" in said
    assert "result" not in said


def test_cancelled_run_leaves_no_process():
    async def scenario():
        run = Run()
        task = asyncio.create_task(
            run.supervisor.run_once(
                python("once", f"import os; os.write(2, str(os.getpid()).encode() + b'\\n'); {DEAF}")
            )
        )
        await run.says("once        | ")
        await run.until(lambda: run.screen.getvalue().endswith("\n"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return int(run.screen.getvalue().split("|")[1].split()[0])

    pid = asyncio.run(scenario())
    eventually(lambda: not is_alive(pid))


def test_log_cannot_move_the_cursor():
    screen = io.StringIO()
    Console(screen).line("web", "\x1b[2Jgone\r\x07")
    assert "\x1b" not in screen.getvalue()
    assert "\r" not in screen.getvalue()
    assert "gone" in screen.getvalue()


def test_only_a_terminal_gets_colours():
    plain, terminal = io.StringIO(), Terminal()
    for screen in (plain, terminal):
        Console(screen).line("web", "here")
    assert "\x1b[" not in plain.getvalue()
    assert "\x1b[36m" in terminal.getvalue()


def test_terminal_that_has_gone_does_not_end_the_supervisor():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as broken:
        console = Console(broken)
        console.line("up", "nobody reads this")
        console.box(["nor this"])
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)  # closing flushes


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_child_gets_the_signal_meant_for_orphans(number):
    """A parent that is killed cannot do anything about it: the kernel does."""
    code = f"""
import signal, subprocess, sys, time
from pathlib import Path
from orchestrator.servers.child import Child
number = signal.Signals({int(number)})
child = Child(name="c", argv=("sleep", "600"), env={{"PATH": "/usr/bin:/bin"}}, cwd=Path("/"), orphaned=number)
print(subprocess.Popen(child.argv, **child.popen()).pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not is_alive(child))
