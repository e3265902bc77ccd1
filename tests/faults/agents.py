"""The agents of the fault missions, and the world that they change: files that nobody but their tools writes to."""

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.lifecycle import Policy, Risk
from agents.roles import Level
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.tools import registry
from orchestrator.tools.tool import Caller, Tool
from tests.agent_types import Context, State, Trace, begin, end, lead, line

WORLD = "QUEENRIGHT_TEST_WORLD"
PAUSE = "QUEENRIGHT_TEST_PAUSE"
LINES, KNOWN, ASKED = "lines", "known", "asked"
TOOLS = ("change_world", "ask_to_change_world", "change_world_once", "change_world")  # of a specialist's workers


@dataclass(frozen=True, slots=True)
class World:
    """What has happened in it: how often by call and by agent, and which process began a call last."""

    effects: Counter[UUID] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    began: dict[UUID, int] = field(default_factory=dict)

    @classmethod
    def read(cls) -> "World":
        """As it is now."""
        world, folder = cls(), Path(os.environ[WORLD])
        for text in (folder / LINES).read_text().splitlines():
            what, call, name, pid = text.split()
            if what == "began":
                world.began[UUID(call)] = int(pid)
            else:
                world._add(name, call)
        for known in (folder / KNOWN).iterdir():
            world._add(*known.name.split())
        return world

    def _add(self, name: str, call: str) -> None:
        self.effects[UUID(call)] += 1
        self.names[name] += 1


def make_world(folder: Path) -> None:
    """One in which nothing has happened."""
    (folder / KNOWN).mkdir(parents=True)
    (folder / LINES).touch()
    (folder / ASKED).touch()


def note(what: str, caller: Caller, arguments: Trace) -> None:
    """One line, whole or not at all: it is short, and the file is opened to append."""
    text = f"{what} {caller.execution_id} {arguments.name} {os.getpid()}\n"
    file = os.open(Path(os.environ[WORLD]) / LINES, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def know(caller: Caller, arguments: Trace) -> None:
    """Take a call that may be known already."""
    (Path(os.environ[WORLD]) / KNOWN / f"{arguments.name} {caller.execution_id}").touch()


def change_world(caller: Caller, arguments: Trace) -> dict[str, Any]:
    """Leave a line, some time after the start and some time before the end: deaths come between."""
    pause = float(os.environ[PAUSE])
    note("began", caller, arguments)
    time.sleep(pause)
    note("changed", caller, arguments)
    time.sleep(pause)
    return {"name": arguments.name}


def change_world_once(caller: Caller, arguments: Trace) -> dict[str, Any]:
    """The same in a world that knows each call by its id, and takes it once."""
    time.sleep(float(os.environ[PAUSE]))
    know(caller, arguments)
    time.sleep(float(os.environ[PAUSE]))
    return {"name": arguments.name}


def use(state: State, runtime: Context) -> State:
    """Change the world, each worker of a specialist with a tool of another policy."""
    tool = TOOLS[int(state["name"].rpartition(".")[2]) % len(TOOLS)]
    done = runtime.context.tools.call(tool, {"name": state["name"]}, key="use", intent="I must")
    return {"steps": ["use"], "result": done}


def _tool(name: str, run: Any, policy: Policy = Policy.RUN, *, idempotent: bool = False) -> Tool[Trace]:
    return Tool(name, "1", "Change the world", Risk.MEDIUM, policy, idempotent, Trace, run)


def _register() -> None:
    registry.register(_tool("change_world", change_world))
    registry.register(_tool("change_world_once", change_world_once, idempotent=True))
    registry.register(_tool("ask_to_change_world", change_world, Policy.ASK))
    for level, below in (("queen", "architect"), ("architect", "specialist"), ("specialist", "worker")):
        delegate = lead(level, f"faults.{below}")
        agent_types.register(AgentType(f"faults.{level}", Level(level), partial(line, begin, delegate, end)))
    agent_types.register(AgentType("faults.worker", Level.WORKER, partial(line, begin, use, end)))


_register()
