"""Agents of the fault missions that think with a chat model: one that asks a peer and the agent above, and a batch."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph

from agents.graphs import batches
from agents.graphs.colleagues import Colleague, Respondent, Told
from agents.graphs.findings import PassageText, Reading
from agents.graphs.ports import AgentContext, ChildTask
from agents.roles import Level
from agents.words import CommunicationType
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.batching import Batching
from tests.agent_types import Brief, Context, State, begin, line
from tests.faults.agents import ASKED, TOOLS, WORLD, use

MODEL = "openai:thoughtful-1"
GOAL = "look how they are"
BATCHED = ("0", "1", "2", "1")  # the tasks of a batch, of which two are equal
HEARD = "heard"  # the signal that the asker has its answer


def fact(name: str) -> str:
    """All that there is to be read about `name`, and so what the model says of it."""
    return f"{name} is well."


def _reading(name: str) -> Reading:
    text = PassageText(passage_id=name, source_id="world", source="world", text=fact(name))
    return Reading(question=f"Is {name} well?", passages=(text,))


def model_calls(name: str) -> int:
    """How often a mission has called its model, as the model has counted."""
    asked = (Path(os.environ[WORLD]) / ASKED).read_text().splitlines()
    return sum(f"{name}." in line for line in asked)


def answers(respondent: Respondent, asked: Told, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the model says of whom it is asked about."""
    reading = _reading(asked.content["name"])
    (found,) = respondent.brain.extract(reading.question, reading.passages)
    return {"text": found.statement}


def ask_peer(state: State, runtime: Context) -> State:
    """Ask the one beside, who then need not wait any longer."""
    peer = runtime.context.colleagues.peers()[0]
    heard = _ask(runtime, CommunicationType.VALIDATION, peer, f"{state['name']}.beside")
    runtime.context.waiting.send(HEARD, None, key="heard")
    return {"steps": heard}


def ask_above(state: State, runtime: Context) -> State:
    """Ask the one above, who waits for this agent."""
    above = runtime.context.colleagues.above()
    assert above is not None
    return {"steps": _ask(runtime, CommunicationType.ESCALATION, above, f"{state['name']}.above")}


def _ask(runtime: Context, kind: CommunicationType, whom: Colleague, name: str) -> list[str]:
    reply = runtime.context.colleagues.request(
        kind, {"name": name}, to=whom.session_id, key="ask", reason="it is in doubt", seconds=600
    )
    return [f"{reply.outcome} by {reply.by}: {(reply.content or {}).get('text')}"]


def report(state: State, runtime: Context) -> State:
    """All that it has heard and done."""
    return {"result": {"steps": state["steps"]}}


def stand_by(state: State, runtime: Context) -> State:
    """Stay until the peer has its answer."""
    runtime.context.waiting.signal(HEARD, key="heard", reason="it may be asked")
    return {"result": {}}


def converse(state: State, runtime: Context) -> State:
    """Start one that asks and one that is asked."""
    tasks = [
        ChildTask(f"faults.{kind}", f"{state['name']}.{kind}", "talk", Brief(name=f"{state['name']}.{place}"))
        for place, kind in enumerate(("asker", "asked"))
    ]
    runtime.context.team.delegate(tasks, key="work", reason="they talk")
    return {"result": {}}


class Batch(State, total=False):
    """What one agent has of several tasks."""

    tasks: list[dict[str, Any]]
    found: list[list[str]]


def hand_out(state: State, runtime: Context) -> State:
    """Each task and what came of it, in the order in which they were given."""
    names = [f"{state['name']}.{place}" for place in BATCHED]
    tasks = [ChildTask("faults.batched", name, GOAL, Brief(name=name), tokens=1) for name in names]
    outcomes = runtime.context.team.delegate(tasks, key="work", reason="they look")
    return {"result": {"outcomes": [[outcome.name, outcome.output] for outcome in outcomes]}}


def look(state: Batch, runtime: Context) -> Batch:
    """Ask the model about all of them at once."""
    found = runtime.context.brain.extract_all([_reading(task["name"]) for task in state["tasks"]])
    return {"found": [[finding.statement for finding in one] for one in found]}


def act(state: Batch, runtime: Context) -> Batch:
    """Change the world once for each, with a tool of another policy."""
    names = [task["name"] for task in state["tasks"]]

    def change(place: int, name: str) -> dict[str, Any]:
        tool = TOOLS[int(name.rpartition(".")[2])]
        runtime.context.tools.call(tool, {"name": name}, key=f"{place}:use", intent="I must")
        return {"name": name, "found": state["found"][place]}

    done, failed = batches.each(dict(enumerate(names)), change, alone=False)
    return {"result": batches.results(done, names, failed)}


def _batched() -> StateGraph[Batch, AgentContext, Batch, Batch]:
    graph = StateGraph(Batch, context_schema=AgentContext)
    graph.add_sequence([look, act])
    graph.add_edge(START, "look")
    graph.add_edge("act", END)
    return graph


def expected_of(kind: str, name: str) -> Mapping[str, Any]:
    """What an agent of the type `faults.<kind>` comes to, in the mission of that name."""
    if kind == "asker":
        peer, above = fact(f"{name}.0.beside"), fact(f"{name}.0.above")
        return {"steps": ["begin", f"answered by {name}.asked: {peer}", f"answered by Mission: {above}", "use"]}
    tasks = [f"{name}.{place}" for place in BATCHED]
    return {"outcomes": [[task, {"name": task, "found": [fact(task)]}] for task in tasks]}


def _register() -> None:
    for kind in (
        AgentType("faults.host", Level.ARCHITECT, lambda: line(begin, converse), answers=answers),
        AgentType("faults.asker", Level.SPECIALIST, lambda: line(begin, ask_peer, ask_above, use, report)),
        AgentType("faults.asked", Level.SPECIALIST, lambda: line(begin, stand_by), answers=answers),
        AgentType("faults.foreman", Level.SPECIALIST, lambda: line(begin, hand_out)),
        AgentType("faults.batched", Level.WORKER, _batched, batching=Batching()),
    ):
        agent_types.register(kind)


_register()
