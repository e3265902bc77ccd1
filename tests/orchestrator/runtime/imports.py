"""Graphs of a langgraph.json, run by the runner, and people who decide what they ask."""

from importlib import import_module
from typing import Any

import pytest
from django.db.models.functions import Now
from langchain_core.messages import AIMessage

from agents.lifecycle import ApprovalStatus
from agents.models import AgentSession, Approval
from orchestrator import sweeper
from orchestrator.actions import approvals
from orchestrator.env import BASE_DIR
from orchestrator.runtime import agent_types, imported_graphs
from orchestrator.tools import registry
from tests.factories import make_member, make_mission
from tests.orchestrator.runtime.conftest import run_all

GRAPHS = BASE_DIR / "tests" / "graphs" / "langgraph.json"


@pytest.fixture
def graph(transactional_db, trace, own_types, monkeypatch):
    """Starts a graph of the file whose model says these lines, and then that it is done; runs it to its first stop."""
    monkeypatch.setattr(registry, "_TOOLS", dict(registry._TOOLS))
    imported_graphs.register(GRAPHS)

    def start(name: str, *lines: AIMessage, given: dict[str, Any] | None = None) -> AgentSession:
        kind = agent_types.agent_type(f"graph.{name}")
        monkeypatch.setattr(import_module("lines").MODEL, "lines", [*lines, AIMessage("done")])
        run_input = given or {"messages": [{"role": "user", "content": "Go"}]}
        return make_mission(agent_type=kind.name, level=kind.level, run_input=run_input)

    return start


def decide(approval: Approval, verdict: str, **decision: Any) -> Approval:
    """Through the door of every button; whoever it is that decides."""
    user = make_member(approval.project)
    version = decision.pop("version", approval.version)
    return approvals.decide(user, approval.pk, verdict=verdict, version=version, **decision)


def asked() -> list[Approval]:
    return list(Approval.objects.filter(status=ApprovalStatus.PENDING).order_by("created_at", "place"))


def go_on() -> None:
    """Let decisions take effect that could still be taken back, and run."""
    Approval.objects.filter(dispatched_at__isnull=True, effective_at__isnull=False).update(effective_at=Now())
    sweeper.dispatch_decisions()
    run_all()


def told(root: AgentSession) -> list[str]:
    """What the tools, or people in their place, told the model."""
    state = agent_types.graph_for(root.agent_type).get_state({"configurable": {"thread_id": str(root.pk)}})
    return [message.text for message in state.values["messages"] if message.type == "tool"]
