"""Runs processes in one terminal: passes on what they say, starts again what dies, ends them in order."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TextIO

from orchestrator.servers.child import Child
from orchestrator.servers.forks import Forked, fork

COLOURS = (36, 33, 32, 35, 34, 96, 93, 95)  # of the terminal's 16, those that can be read on light and dark
LONGEST_LINE = 8192
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 15.0
STEADY_SECONDS = 30.0  # alive this long, a process starts afresh with short pauses
LAST_WORDS_SECONDS = 0.3

Process = asyncio.subprocess.Process | Forked


class Console:
    """Lines of several processes in one stream, each with its process's name, in colour on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colours: dict[str, int] = {}
        self._coloured = stream.isatty()

    def line(self, name: str, text: str) -> None:
        """One line. What is not printable is replaced: a log must not be able to move the cursor."""
        shown = "".join(mark if mark.isprintable() or mark == "\t" else "\N{REPLACEMENT CHARACTER}" for mark in text)
        head = f"{time.strftime('%H:%M:%S')} {name:<12}|"
        if self._coloured:
            colour = COLOURS[self._colours.setdefault(name, len(self._colours)) % len(COLOURS)]
            head = f"\x1b[{colour}m{head}\x1b[0m"
        self._write(f"{head} {shown}\n")

    def box(self, lines: Sequence[str]) -> None:
        """Lines that nobody should overlook."""
        width = max(map(len, lines))
        edge = f"+{'-' * (width + 4)}+"
        self._write("\n".join(("", edge, *(f"|  {line:<{width}}  |" for line in lines), edge, "", "")))

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal has gone; what runs must still be ended well
            self._stream.write(text)
            self._stream.flush()


class _Output:
    """A pipe that outlives the processes that write to it, read line by line as the loop turns."""

    def __init__(self, name: str, console: Console) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._name, self._console, self._rest = name, console, b""
        asyncio.get_running_loop().add_reader(self._read_end, self._read)

    def _read(self) -> bool:
        try:
            got = os.read(self._read_end, 65536)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + got).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._console.line(self._name, line[:LONGEST_LINE].decode(errors="replace").rstrip("\r"))
        return True

    def flush(self) -> None:
        """Pass on what is in the pipe, its last unfinished line too."""
        while self._read():
            pass
        if self._rest:
            self._console.line(self._name, self._rest.decode(errors="replace"))
            self._rest = b""

    def close(self) -> None:
        """Pass on what is left and let go."""
        self.flush()
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)
        os.close(self.write_end)


@dataclass
class _Kept:
    """A process that is started again whenever it ends."""

    name: str
    make: Callable[[], Child]
    last: bool
    starts: int = 0
    child: Child | None = None
    process: Process | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Supervisor:
    """Everything that runs under one roof. Use it from the main thread: see `die_with_parent`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._kept: list[_Kept] = []
        self._closing = asyncio.Event()

    def keep(self, name: str, make: Callable[[], Child], *, last: bool = False) -> None:
        """Run the process that `make` describes, and again whenever it ends; `last`: ended after the others."""
        kept = _Kept(name, make, last)
        kept.task = asyncio.create_task(self._keep(kept), name=name)
        self._kept.append(kept)

    def starts(self, name: str) -> int:
        """How often the process has been started."""
        return sum(kept.starts for kept in self._kept if kept.name == name)

    async def run_once(self, child: Child) -> tuple[int, str]:
        """Run a process to its end: its exit status and what it wrote; what it logged is passed on."""
        log = _Output(child.name, self._console)
        try:
            with os.fdopen(os.memfd_create(child.name), "r+", errors="replace") as wrote:
                process = await _start(child, stdout=wrote.fileno(), stderr=log.write_end)
                try:
                    await process.wait()
                finally:
                    _kill_session(process.pid)
                    status = await process.wait()
                wrote.seek(0)
                return status, wrote.read()
        finally:
            log.close()

    async def _keep(self, kept: _Kept) -> None:
        output = _Output(kept.name, self._console)
        backoff = FIRST_BACKOFF
        try:
            while not self._closing.is_set():
                began = time.monotonic()
                reason = await self._run(kept, output)
                if self._closing.is_set():
                    return
                backoff = FIRST_BACKOFF if time.monotonic() - began > STEADY_SECONDS else backoff
                output.flush()
                self._console.line(kept.name, f"{reason}; starting again in {backoff:.1f} s")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF)
        finally:
            output.close()

    async def _run(self, kept: _Kept, output: _Output) -> str:
        """One life of a process; returns how it ended, in words."""
        try:
            kept.child = kept.make()
            kept.process = await _start(kept.child, stdout=output.write_end, stderr=output.write_end)
        except Exception as error:  # noqa: BLE001 - whatever it was, it must not end the other processes
            return f"cannot start: {error}"
        finally:
            kept.starts += 1
        self._console.line(kept.name, f"started, process {kept.process.pid}")
        if self._closing.is_set():  # asked to end while it was being started: nobody has told this one
            _send(kept.process, kept.child.stop)
        code = await kept.process.wait()
        _kill_session(kept.process.pid)
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    async def stop(self, *, drain: float, total: float, hurry: asyncio.Event) -> None:
        """Ask all to end, the `last` ones after the others; kill what is left after `drain` and `total` seconds.

        `hurry` set: kill at once, but for the `last` ones, whose data must be written.
        """
        began = time.monotonic()
        self._closing.set()
        await self._end([kept for kept in self._kept if not kept.last], began + drain, hurry)
        await self._end([kept for kept in self._kept if kept.last], began + total, asyncio.Event())

    async def _end(self, group: list[_Kept], deadline: float, hurry: asyncio.Event) -> None:
        tasks = [kept.task for kept in group if kept.task]
        if not tasks:
            return
        for kept in group:
            _send(kept.process, kept.child.stop if kept.child else signal.SIGTERM)
        hurried: asyncio.Future[Any] = asyncio.ensure_future(hurry.wait())
        ended: asyncio.Future[Any] = asyncio.gather(*tasks, return_exceptions=True)
        remaining = max(0.0, deadline - time.monotonic())
        await asyncio.wait({hurried, ended}, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ended.done():
            for kept in group:
                _send(kept.process, kept.child.urgent if kept.child else signal.SIGKILL)
            await asyncio.wait({ended}, timeout=LAST_WORDS_SECONDS)
        for kept in group:
            if kept.process and kept.process.returncode is None:
                _kill_session(kept.process.pid)
        await ended


async def _start(child: Child, *, stdout: int, stderr: int) -> Process:
    if child.forked:
        return await fork(child, stdout=stdout, stderr=stderr)
    return await asyncio.create_subprocess_exec(
        *child.argv, stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=stderr, **child.popen()
    )


def _send(process: Process | None, number: signal.Signals) -> None:
    if process and process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(number)


def _kill_session(pid: int) -> None:
    """Kill what is left of a session: its leader's children, if the leader is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
