"""A worker that reads passages for a question, extracts what they say and remembers it; or for several at once."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.errors import ModelMisbehaved, Stopped
from agents.graphs import batches, escalation
from agents.graphs.findings import Finding, PassageText, Reading, WorkItem
from agents.graphs.inputs import ReadingInput
from agents.graphs.instructions import heeding, with_instructions
from agents.graphs.ports import AgentContext
from agents.graphs.states import WorkerState
from agents.words import CommunicationType

MOST_HITS = 6
MOST_PASSAGES = 8
MOST_REMEMBERED = 3

Context = Runtime[AgentContext]


def gather(state: WorkerState, runtime: Context) -> WorkerState:
    """Search for each piece of work, then read each passage."""
    context = runtime.context
    tasks = _tasks(state)

    def read(place: int, task: ReadingInput) -> list[dict[str, Any]]:
        return _gather(context, task, prefix=f"{place}:" if len(tasks) > 1 else "")

    found, failed = batches.each(tasks, read, alone=len(tasks) == 1)
    passages = {piece["passage_id"]: piece for pieces in found.values() for piece in pieces}
    words = sum(len(piece["text"].split()) for piece in passages.values())
    return {
        "passages": [
            {"task": place} | {name: value for name, value in piece.items() if name != "text"}
            for place, pieces in found.items()
            for piece in pieces
        ],
        "failed": failed,
        "task_execution": {
            "assigned_tasks": [task.item.title for task in tasks.values()],
            "progress": 0.5,
            "resource_use": {"passages": len(passages), "words": words},
        },
        "coordination": {"batch": list(passages)},
    }


def _gather(context: AgentContext, task: ReadingInput, prefix: str) -> list[dict[str, Any]]:
    """The passages of one piece of work. A call's key in a batch tells its task; a passage is read once for all."""
    ids = list(task.item.passage_ids)
    for number, query in enumerate(task.item.queries):
        context.voice.say(f"Searching for “{query}”")
        found = context.tools.call(
            "search_sources",
            {"query": query, "limit": MOST_HITS},
            key=f"{prefix}search:{number}",
            intent="I look for passages that my assignment did not name.",
        )
        ids.extend(hit["passage_id"] for hit in found["hits"])
    if not ids:
        ids = _advised(context, task.item, prefix)
    wanted = list(dict.fromkeys(ids))[:MOST_PASSAGES]
    context.voice.say(f"Reading {len(wanted)} passages")
    return [
        context.tools.call(
            "read_passage", {"passage_id": passage_id}, key=f"read:{passage_id}", intent="I read what I was given."
        )
        for passage_id in wanted
    ]


def _advised(context: AgentContext, item: WorkItem, prefix: str) -> list[str]:
    """There is nothing to read: what the agents above, or people, say to search for. Raises Stopped."""
    advice = context.colleagues.escalate(
        f"No passage was found for “{item.title}”.",
        key=f"{prefix}nothing to read",
        reason="there is nothing to read",
        seconds=escalation.SECONDS,
    )
    if advice.verdict == "stop":
        raise Stopped(advice.words)
    if advice.verdict != "advice":
        context.voice.say(f"Nothing to read: {advice.words}")
        return []
    query = {"query": advice.words, "limit": MOST_HITS}
    key = f"{prefix}search:advice"
    found = context.tools.call("search_sources", query, key=key, intent="I was told to look for this.")
    return [hit["passage_id"] for hit in found["hits"]]


def extract(state: WorkerState, runtime: Context) -> WorkerState:
    """Find what the passages say about each question."""
    context = runtime.context
    texts = _texts(state, context)
    context.voice.say(f"Looking for what {len(texts)} passages say")
    readings = {
        place: Reading(question=with_instructions(task.question, state), passages=_of_task(state, place, texts))
        for place, task in _tasks(state).items()
        if str(place) not in state.get("failed", {})
    }
    found, failed = _extract(context, readings, alone=len(_tasks(state)) == 1)
    findings = [{"task": place} | one.model_dump(mode="json") for place, some in found.items() for one in some]
    return {
        "findings": findings,
        "failed": failed,
        "coordination": {"aggregation": [finding["statement"] for finding in findings]},
    }


def _extract(
    context: AgentContext, readings: Mapping[int, Reading], *, alone: bool
) -> tuple[dict[int, list[Finding]], batches.Failures]:
    """All at once if the brain can; one by one where its answer does not fit."""
    try:
        every = context.brain.extract_all(list(readings.values()))
        return {place: list(found) for place, found in zip(readings, every, strict=True)}, {}
    except ModelMisbehaved:
        if alone:
            raise

    def one(place: int, reading: Reading) -> list[Finding]:
        return list(context.brain.extract(reading.question, reading.passages))

    return batches.each(readings, one, alone=False)


def remember(state: WorkerState, runtime: Context) -> WorkerState:
    """Keep the best findings of each task, check them, and report."""
    context = runtime.context
    tasks = _tasks(state)
    failed = state.get("failed", {})
    findings = {place: _findings(state, place) for place in tasks if str(place) not in failed}

    def keep(place: int, found: list[Finding]) -> list[Finding]:
        for number, finding in enumerate(found[:MOST_REMEMBERED]):
            _remember(context, finding, key=f"{f'{place}:' if len(tasks) > 1 else ''}remember:{number}")
        return found

    kept, lost = batches.each(findings, keep, alone=len(tasks) == 1)
    texts = _texts(state, context)
    every = [finding for some in kept.values() for finding in some]
    sound = sum(1 for finding in every if _stands(finding, texts))
    context.voice.say(
        f"{len(every)} findings from {len(texts)} passages" if every else "Found nothing that bears on it"
    )
    accuracy = round(sound / len(every), 4) if every else 1.0
    _report(context, state, kept, accuracy)
    outputs = {
        place: {"findings": [finding.model_dump(mode="json") for finding in some]} for place, some in kept.items()
    }
    names = [task.item.title for task in tasks.values()]
    return {
        "failed": lost,
        "task_execution": {"progress": 1.0},
        "coordination": {"self_check": {"findings": len(every), "quotes_found": sound}},
        "performance": {"accuracy": accuracy},
        "result": outputs[0] if len(tasks) == 1 else batches.results(outputs, names, {**failed, **lost}),
    }


def _stands(finding: Finding, texts: Mapping[str, PassageText]) -> bool:
    return finding.passage_id in texts and finding.quote in texts[finding.passage_id].text


def _remember(context: AgentContext, finding: Finding, key: str) -> None:
    context.tools.call(
        "remember",
        {
            "statement": finding.statement,
            "passage_id": finding.passage_id,
            "importance": round(finding.relevance, 4),
        },
        key=key,
        intent="Later missions should find this.",
    )


def _tasks(state: WorkerState) -> dict[int, ReadingInput]:
    """The worker's tasks by their places: those of a batch, or its one."""
    given = state.get("tasks") or [{"question": state["question"], "item": state["item"]}]
    return dict(enumerate(map(ReadingInput.model_validate, given)))


def _texts(state: WorkerState, context: AgentContext) -> dict[str, PassageText]:
    """The passages that were read, by id. A state names them; their texts stay in the sources."""
    ids = dict.fromkeys(piece["passage_id"] for piece in state["passages"])
    return {passage.passage_id: passage for passage in context.sources.passages(list(ids))}


def _of_task(state: WorkerState, place: int, texts: Mapping[str, PassageText]) -> tuple[PassageText, ...]:
    named = (piece["passage_id"] for piece in state["passages"] if piece.get("task", 0) == place)
    return tuple(texts[passage_id] for passage_id in named if passage_id in texts)


def _findings(state: WorkerState, place: int) -> list[Finding]:
    found = (piece for piece in state["findings"] if piece.get("task", 0) == place)
    return [Finding.model_validate({key: value for key, value in piece.items() if key != "task"}) for piece in found]


def _report(context: AgentContext, state: WorkerState, kept: Mapping[int, list[Finding]], accuracy: float) -> None:
    """Tell the specialist how the batch went; a task without findings is a problem, which nobody waits for."""
    above = context.colleagues.above()
    if above is None:
        return
    read = state["task_execution"]["resource_use"]
    batch = {"passages": read["passages"], "findings": sum(map(len, kept.values()))}
    tell = partial(context.colleagues.tell, to=above.session_id)
    tell(CommunicationType.BATCH, batch, key="batch")
    tell(CommunicationType.PERFORMANCE, {"accuracy": accuracy, "words": read["words"]}, key="performance")
    silent = [_tasks(state)[place].question for place, found in kept.items() if not found]
    if read["passages"] and silent:
        problem = f"{read['passages']} passages say nothing about “{'”, “'.join(dict.fromkeys(silent))}”."
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
