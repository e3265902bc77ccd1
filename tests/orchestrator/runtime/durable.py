"""Agents whose every step leaves a line in a file, in each mode of durability, and a worker that dies for real.

What they draft is random: a step that is redone from an earlier state than its tool call came from would make
another call.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.db import connection
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from agents.graphs.ports import AgentContext
from agents.lifecycle import Policy
from agents.roles import Level
from orchestrator.env import BASE_DIR
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.durability import AT_EXIT, EVERY_STEP, Durability, after
from orchestrator.tools import registry
from orchestrator.tools.tool import Caller
from tests.agent_types import Context, State, Trace, _tool, leave_trace, line

STEPS, DEATH = "QUEENRIGHT_TEST_STEPS", "QUEENRIGHT_TEST_DEATH"
MODES = {"step": EVERY_STEP, "exit": AT_EXIT, "nodes": after("refine"), "sends": after("branch")}
WORKER = """
import django; django.setup()
from agents.roles import Level
from orchestrator.runtime import runner
runner.run_next(Level.WORKER)
"""


def ran(node: str) -> None:
    """Leave a line, and die if that is what this process is for."""
    with Path(os.environ[STEPS]).open("a") as file:
        file.write(f"{node}\n")
    if os.environ.get(DEATH) == node:
        os.kill(os.getpid(), signal.SIGKILL)


def draft(state: State) -> State:
    """Think of something."""
    ran("draft")
    return {"name": uuid4().hex, "steps": ["draft"]}


def refine(state: State) -> State:
    """Think on."""
    ran("refine")
    return {"name": f"{state['name']}!", "steps": ["refine"]}


def use(state: State, runtime: Context) -> State:
    """Change the world."""
    done = runtime.context.tools.call(state["tool"], {"name": state["name"]}, key=state["name"], intent="I must")
    ran("use")
    return {"steps": ["use"], "result": done}


def review(state: State) -> State:
    """Look at it."""
    ran("review")
    return {"steps": ["review"]}


def fan(state: State) -> list[Send]:
    """Three at once."""
    return [Send("branch", {**state, "name": str(number)}) for number in range(3)]


def branch(state: State) -> State:
    """One of them."""
    ran(f"branch {state['name']}")
    return {"steps": [state["name"]]}


def fanned() -> StateGraph[State, AgentContext, State, State]:
    """A step that is only sent to."""
    graph = StateGraph(State, context_schema=AgentContext)
    for node in (draft, branch, review):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "draft")
    graph.add_conditional_edges("draft", fan, ["branch"])
    graph.add_edge("branch", "review")
    graph.add_edge("review", END)
    return graph


def mortal(caller: Caller, arguments: Trace) -> dict[str, Any]:
    """Has its effect, and may die of it."""
    done = leave_trace(caller, arguments)
    ran("tool")
    return done


def build(mode: str, durability: Durability) -> AgentType:
    """The agent of a mode."""
    graph = fanned if mode == "sends" else lambda: line(draft, refine, use, review)
    return AgentType(f"durable.{mode}", Level.WORKER, graph, durability=durability)


for one in ("mortal", "ask_mortal"):
    registry.register(_tool(one, Policy.ASK if one.startswith("ask") else Policy.RUN, run=mortal))
for name, mode in MODES.items():
    agent_types.register(build(name, mode))


def die_in(node: str) -> None:
    """Run the best queued worker in a process that is killed at the end of this node, as `kill -9` does."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    died = subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=BASE_DIR,
        env=os.environ
        | {
            DEATH: node,
            "DATABASE_URL": url.geturl(),
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
            "QUEENRIGHT_AGENT_MODULES": "tests.agent_types,tests.orchestrator.runtime.durable",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
