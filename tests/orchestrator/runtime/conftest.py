"""Runs agents in this process, level by level, until nothing is queued."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.lifecycle import SessionStatus
from agents.models import AgentSession
from agents.roles import Level
from orchestrator.runtime import agent_types as agent_types_of_runner
from orchestrator.runtime import runner
from orchestrator.tools import registry
from tests import agent_types
from tests.factories import make_mission


@pytest.fixture
def trace(tmp_path, monkeypatch) -> Path:
    """What the agents' tools did to the world: a line an effect."""
    path = tmp_path / "trace"
    path.touch()
    monkeypatch.setenv(agent_types.TRACE, str(path))
    return path


@pytest.fixture
def mission(transactional_db, trace):
    """Makes a mission of test agents."""

    def make(agent_type: str = "test.queen", **brief) -> AgentSession:
        kind = agent_types_of_runner.agent_type(agent_type)
        return make_mission(
            agent_type=agent_type,
            level=kind.level,
            run_input=agent_types.Brief(**brief).model_dump(mode="json"),
        )

    return make


@pytest.fixture
def own_types(monkeypatch):
    """Agent types that a test registers are gone after it, and so are their graphs."""
    monkeypatch.setattr(agent_types_of_runner, "_TYPES", dict(agent_types_of_runner._TYPES))
    agent_types_of_runner.graph_for.cache_clear()
    yield
    agent_types_of_runner.graph_for.cache_clear()


def run_tool(monkeypatch: pytest.MonkeyPatch, name: str, run) -> None:
    """Let a tool do something else from now on."""
    monkeypatch.setitem(registry._TOOLS, name, replace(registry.tool_named(name), run=run))


def run_all(limit: int = 300) -> int:
    """Run queued sessions until there are none; how many turns that took."""
    for turn in range(limit):
        queued = AgentSession.objects.filter(status=SessionStatus.QUEUED).values_list("level", flat=True).first()
        if queued is None:
            return turn
        runner.run_next(Level(queued))
    raise AssertionError(f"still queued after {limit} turns")
