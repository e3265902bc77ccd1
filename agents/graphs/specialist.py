"""The specialist: searches for a question, sends workers to read, writes one cited answer."""

from collections.abc import Mapping
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.graphs import delegation, escalation, validation
from agents.graphs.colleagues import PassOn, Respondent, Told
from agents.graphs.findings import Answer, Finding, Question, WorkItem
from agents.graphs.inputs import ReadingInput
from agents.graphs.instructions import heeding, with_instructions
from agents.graphs.ports import AgentContext, ChildTask
from agents.graphs.states import SpecialistState
from agents.words import CommunicationType

MOST_ITEMS = 3
MOST_PASSAGES = 24
UNKNOWN = 2_000  # tokens that a worker may find which is given no passages

Context = Runtime[AgentContext]


def analyse(state: SpecialistState, runtime: Context) -> SpecialistState:
    """Search the sources and cut the reading into pieces of work."""
    context = runtime.context
    question = Question.model_validate(state["question"])
    context.voice.say("Searching the sources")
    found = context.tools.call(
        "search_sources",
        {"query": with_instructions(question.text, state), "limit": MOST_PASSAGES},
        key="search",
        intent="I want to see which passages bear on my question before I send workers to read.",
    )
    ids = [hit["passage_id"] for hit in found["hits"]]
    passages = context.sources.passages(list(dict.fromkeys([*ids, *question.passage_ids]))[:MOST_PASSAGES])
    items = context.brain.analyse(question, passages, most=MOST_ITEMS)
    return {
        "expertise_context": {
            "capabilities": ["search", "reading", "synthesis"],
            "active_analyses": [item.title for item in items],
        },
        "collaboration": {
            "shared_resources": sorted({passage.source for passage in passages}),
            "integration_points": [question.domain],
        },
        "worker_coordination": {
            "distribution": [item.model_dump(mode="json") for item in items],
            "progress": 0.0,
        },
    }


def delegate(state: SpecialistState, runtime: Context) -> SpecialistState:
    """Send a worker to each piece of work that is not done."""
    context = runtime.context
    known = state.get("outcomes", {})
    planned = [WorkItem.model_validate(piece) for piece in state["worker_coordination"]["distribution"]]
    items: list[WorkItem] = delegation.unanswered(planned, known)
    context.voice.say(f"Sending {len(items)} {'worker' if len(items) == 1 else 'workers'} to read")
    lengths = context.sources.lengths([passage_id for item in items for passage_id in item.passage_ids])
    if known and items:
        context.colleagues.broadcast(
            CommunicationType.RESOURCE_REALLOCATION,
            {"read again": [item.title for item in items]},
            key=f"again:{context.run_started_at.isoformat()}",
            below=True,
        )
    tasks = [
        ChildTask(
            agent_type="research.reader",
            name=item.title,
            goal=f"Read {item.title} for: {item.question}",
            input=ReadingInput(question=item.question, item=item),
            reads=item.passage_ids,
            tokens=sum(lengths.get(passage_id, 0) for passage_id in item.passage_ids) or UNKNOWN,
        )
        for item in items
    ]
    outcomes = delegation.ask(context, items, tasks, known, reason="the answer needs what they read")
    return {
        "outcomes": outcomes,
        "collaboration": {"peers": [outcome["session_id"] for outcome in outcomes.values()]},
        "worker_coordination": {"progress": round(len(delegation.results(outcomes)) / max(len(outcomes), 1), 4)},
    }


def answer(state: SpecialistState, runtime: Context) -> SpecialistState:
    """Check that each quote stands in its passage, then write the answer, and see whether it is doubtful."""
    context = runtime.context
    question = Question.model_validate(state["question"])
    outcomes = delegation.fetched(context, state["outcomes"])
    findings = [
        Finding.model_validate(piece) for result in delegation.results(outcomes) for piece in result["findings"]
    ]
    passages = context.sources.passages(list(dict.fromkeys(finding.passage_id for finding in findings)))
    texts = {passage.passage_id: " ".join(passage.text.split()) for passage in passages}
    sound = [finding for finding in findings if " ".join(finding.quote.split()) in texts.get(finding.passage_id, "")]
    context.voice.say(f"Writing the answer from {len(sound)} findings")
    written = context.brain.synthesise(with_instructions(question.text, state), sound, passages)
    gaps = delegation.missing(outcomes)
    if gaps:
        written = written.model_copy(update={"missing": " ".join([written.missing, *gaps]).strip()})
    peer = validation.peer_for(written, context.colleagues)
    checked = {"findings": len(findings), "quotes_found": len(sound)} | ({} if peer is None else {"peer": peer})
    if peer is None:
        _tell(context, written)
    return {
        "expertise_context": {"active_analyses": [], "quality_metrics": {"confidence": written.confidence}},
        "worker_coordination": {"validation": checked},
        "result": written.model_dump(mode="json"),
    }


def validate(state: SpecialistState, runtime: Context) -> SpecialistState:
    """Have a peer look at a doubtful answer."""
    context = runtime.context
    checked = state["worker_coordination"]["validation"]
    found, written = validation.by_peer(checked["peer"], context.colleagues, Answer.model_validate(state["result"]))
    _tell(context, written)
    return {
        "worker_coordination": {"validation": {**checked, **found}},
        "result": written.model_dump(mode="json"),
    }


def route(state: SpecialistState) -> str:
    """Edge: a doubtful answer is looked at by a peer."""
    return "validate" if "peer" in state["worker_coordination"]["validation"] else END


def _tell(context: AgentContext, written: Answer) -> None:
    """Say how it went; let peers know what was found, and the architect what the answer lacks."""
    count = len(written.citations)
    context.voice.say(f"Answered with {count} citations" if count else "The sources do not answer this")
    told = {"question": written.question, "confidence": written.confidence, "citations": count}
    if count:
        context.colleagues.broadcast(CommunicationType.KNOWLEDGE_SHARING, told, key="answer")
    if (above := context.colleagues.above()) is not None:
        synthesis = {**told, "missing": written.missing}
        context.colleagues.tell(CommunicationType.SYNTHESIS, synthesis, to=above.session_id, key="synthesis")


def answers(respondent: Respondent, asked: Told, state: Mapping[str, Any]) -> Mapping[str, Any] | PassOn:
    """Validate a peer's answer; say how a worker that is stuck goes on."""
    if asked.kind == CommunicationType.VALIDATION:
        return validation.judge(respondent.brain, asked.content)
    if asked.kind == CommunicationType.ESCALATION:
        return escalation.do_without(state.get("worker_coordination", {}).get("distribution", []), "read for it")
    return PassOn("this is not mine to say")


def build() -> StateGraph[SpecialistState, AgentContext, SpecialistState, SpecialistState]:
    """The specialist's graph."""
    graph = StateGraph(SpecialistState, context_schema=AgentContext)
    graph.add_node("analyse", heeding(analyse))
    graph.add_node("delegate", heeding(delegate))
    graph.add_node("review", heeding(delegation.review))
    graph.add_node("answer", heeding(answer))
    graph.add_edge(START, "analyse")
    graph.add_edge("analyse", "delegate")
    graph.add_edge("delegate", "review")
    graph.add_conditional_edges("review", delegation.route("answer"), ["delegate", "answer"])
    graph.add_node("validate", heeding(validate))
    graph.add_conditional_edges("answer", route, ["validate", END])
    graph.add_edge("validate", END)
    return graph
