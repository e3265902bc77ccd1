"""A worker that reads passages for a question, extracts what they say and remembers it."""

from collections.abc import Sequence

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.graphs.findings import Finding, PassageText, WorkItem
from agents.graphs.instructions import heeding, with_instructions
from agents.graphs.ports import AgentContext
from agents.graphs.states import WorkerState

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
    wanted = list(dict.fromkeys(ids))[:MOST_PASSAGES]
    context.voice.say(f"Reading {len(wanted)} passages")
    read = [
        context.tools.call(
            "read_passage", {"passage_id": passage_id}, key=f"read:{passage_id}", intent="I read what I was given."
        )
        for passage_id in wanted
    ]
    return {
        "passages": [{name: value for name, value in piece.items() if name != "text"} for piece in read],
        "task_execution": {
            "assigned_tasks": [item.title],
            "progress": 0.5,
            "resource_use": {"passages": len(read), "words": sum(len(piece["text"].split()) for piece in read)},
        },
        "coordination": {"batch": wanted},
    }


def extract(state: WorkerState, runtime: Context) -> WorkerState:
    """Find what the passages say about the question."""
    context = runtime.context
    passages = _read(state, context)
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
    texts = {passage.passage_id: passage.text for passage in _read(state, context)}
    sound = sum(1 for finding in findings if finding.quote in texts.get(finding.passage_id, ""))
    context.voice.say(
        f"{len(findings)} findings from {len(texts)} passages" if findings else "Found nothing that bears on it"
    )
    return {
        "task_execution": {"progress": 1.0},
        "coordination": {"self_check": {"findings": len(findings), "quotes_found": sound}},
        "performance": {"accuracy": round(sound / len(findings), 4) if findings else 1.0},
        "result": {"findings": state["findings"]},
    }


def _read(state: WorkerState, context: AgentContext) -> Sequence[PassageText]:
    """The passages that were read. A state names them; their texts stay in the sources."""
    return context.sources.passages([piece["passage_id"] for piece in state["passages"]])


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
