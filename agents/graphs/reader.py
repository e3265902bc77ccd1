"""A worker that reads passages for a question, extracts what they say and remembers it."""

from functools import partial

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.errors import Stopped
from agents.graphs import escalation
from agents.graphs.findings import Finding, PassageText, WorkItem
from agents.graphs.instructions import heeding, with_instructions
from agents.graphs.ports import AgentContext
from agents.graphs.states import WorkerState
from agents.words import CommunicationType

MOST_HITS = 6
MOST_PASSAGES = 8
MOST_REMEMBERED = 3

Context = Runtime[AgentContext]


def gather(state: WorkerState, runtime: Context) -> WorkerState:
    """Search for the piece of work, then read each passage."""
    context = runtime.context
    item = WorkItem.model_validate(state["item"])
    ids = list(item.passage_ids)
    for number, query in enumerate(item.queries):
        context.voice.say(f"Searching for “{query}”")
        found = context.tools.call(
            "search_sources",
            {"query": query, "limit": MOST_HITS},
            key=f"search:{number}",
            intent="I look for passages that my assignment did not name.",
        )
        ids.extend(hit["passage_id"] for hit in found["hits"])
    if not ids:
        ids = _advised(context, item)
    wanted = list(dict.fromkeys(ids))[:MOST_PASSAGES]
    context.voice.say(f"Reading {len(wanted)} passages")
    read = [
        context.tools.call(
            "read_passage", {"passage_id": passage_id}, key=f"read:{passage_id}", intent="I read what I was given."
        )
        for passage_id in wanted
    ]
    return {
        "passages": read,
        "task_execution": {
            "assigned_tasks": [item.title],
            "progress": 0.5,
            "resource_use": {"passages": len(read), "words": sum(len(piece["text"].split()) for piece in read)},
        },
        "coordination": {"batch": wanted},
    }


def _advised(context: AgentContext, item: WorkItem) -> list[str]:
    """There is nothing to read: what the agents above, or people, say to search for. Raises Stopped."""
    advice = context.colleagues.escalate(
        f"No passage was found for “{item.title}”.",
        key="nothing to read",
        reason="there is nothing to read",
        seconds=escalation.SECONDS,
    )
    if advice.verdict == "stop":
        raise Stopped(advice.words)
    if advice.verdict != "advice":
        context.voice.say(f"Nothing to read: {advice.words}")
        return []
    query = {"query": advice.words, "limit": MOST_HITS}
    found = context.tools.call("search_sources", query, key="search:advice", intent="I was told to look for this.")
    return [hit["passage_id"] for hit in found["hits"]]


def extract(state: WorkerState, runtime: Context) -> WorkerState:
    """Find what the passages say about the question."""
    context = runtime.context
    passages = [PassageText.model_validate(piece) for piece in state["passages"]]
    context.voice.say(f"Looking for what {len(passages)} passages say")
    found = context.brain.extract(with_instructions(state["question"], state), passages)
    return {
        "findings": [finding.model_dump(mode="json") for finding in found],
        "coordination": {"aggregation": [finding.statement for finding in found]},
    }


def remember(state: WorkerState, runtime: Context) -> WorkerState:
    """Keep the best findings, check them, and report."""
    context = runtime.context
    findings = [Finding.model_validate(piece) for piece in state["findings"]]
    for number, finding in enumerate(findings[:MOST_REMEMBERED]):
        context.tools.call(
            "remember",
            {
                "statement": finding.statement,
                "passage_id": finding.passage_id,
                "importance": round(finding.relevance, 4),
            },
            key=f"remember:{number}",
            intent="Later missions should find this.",
        )
    texts = {piece["passage_id"]: piece["text"] for piece in state["passages"]}
    sound = sum(1 for finding in findings if finding.quote in texts.get(finding.passage_id, ""))
    context.voice.say(
        f"{len(findings)} findings from {len(texts)} passages" if findings else "Found nothing that bears on it"
    )
    accuracy = round(sound / len(findings), 4) if findings else 1.0
    _report(context, state, len(findings), accuracy)
    return {
        "task_execution": {"progress": 1.0},
        "coordination": {"self_check": {"findings": len(findings), "quotes_found": sound}},
        "performance": {"accuracy": accuracy},
        "result": {"findings": state["findings"]},
    }


def _report(context: AgentContext, state: WorkerState, findings: int, accuracy: float) -> None:
    """Tell the specialist how the batch went; one that says nothing is a problem of its, which nobody waits for."""
    above = context.colleagues.above()
    if above is None:
        return
    read = state["task_execution"]["resource_use"]
    tell = partial(context.colleagues.tell, to=above.session_id)
    tell(CommunicationType.BATCH, {"passages": read["passages"], "findings": findings}, key="batch")
    tell(CommunicationType.PERFORMANCE, {"accuracy": accuracy, "words": read["words"]}, key="performance")
    if read["passages"] and not findings:
        problem = f"{read['passages']} passages say nothing about “{state['question']}”."
        tell(CommunicationType.ESCALATION, {"problem": problem}, key="nothing found")


def build() -> StateGraph[WorkerState, AgentContext, WorkerState, WorkerState]:
    """The reader's graph."""
    graph = StateGraph(WorkerState, context_schema=AgentContext)
    graph.add_node("gather", heeding(gather))
    graph.add_node("extract", heeding(extract))
    graph.add_node("remember", heeding(remember))
    graph.add_edge(START, "gather")
    graph.add_edge("gather", "extract")
    graph.add_edge("extract", "remember")
    graph.add_edge("remember", END)
    return graph
