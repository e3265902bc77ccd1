"""The architect: splits a domain into questions, sends specialists out, draws their answers together."""

from collections.abc import Mapping
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.graphs import delegation, escalation, scopes
from agents.graphs.colleagues import PassOn, Respondent, Told
from agents.graphs.findings import Answer, Domain, Question
from agents.graphs.inputs import QuestionInput
from agents.graphs.instructions import heeding, with_instructions
from agents.graphs.ports import AgentContext, ChildTask
from agents.graphs.states import ArchitectState
from agents.words import CommunicationType

MOST_QUESTIONS = 4
MOST_PASSAGES = 120

Context = Runtime[AgentContext]


def frame(state: ArchitectState, runtime: Context) -> ArchitectState:
    """Find the questions that cover the domain."""
    context = runtime.context
    domain = Domain.model_validate(state["domain"])
    context.voice.say(f"Framing questions about {domain.title}")
    passages = context.sources.passages(domain.passage_ids[:MOST_PASSAGES])
    questions = context.brain.split(with_instructions(state["objective"], state), domain, passages, most=MOST_QUESTIONS)
    context.colleagues.broadcast(
        CommunicationType.DESIGN_CONSISTENCY,
        {"domain": domain.title, "questions": [question.text for question in questions]},
        key="scope",
    )
    left = scopes.left_to_peers(context.session_id, questions, context.colleagues.read(), context.embed)
    questions = [question for question in questions if question.key not in left]
    return {
        "domain_context": {"area": domain.title, "active_projects": [question.text for question in questions]},
        "design_evolution": {
            "versions": [1],
            "decision_rationale": [
                f"{len(questions)} questions from {len(passages)} passages",
                *(f"“{question}” is left to {peer}" for question, peer in left.values()),
            ],
            "impact": {"passages": len(passages), "questions": len(questions)},
        },
        "specialist_coordination": {"delegation": [question.model_dump(mode="json") for question in questions]},
    }


def delegate(state: ArchitectState, runtime: Context) -> ArchitectState:
    """Send a specialist after each question that has no answer yet."""
    context = runtime.context
    known = state.get("outcomes", {})
    asked = [Question.model_validate(piece) for piece in state["specialist_coordination"]["delegation"]]
    questions: list[Question] = delegation.unanswered(asked, known)
    context.voice.say(f"Asking {len(questions)} {'specialist' if len(questions) == 1 else 'specialists'}")
    tasks = [
        ChildTask(
            agent_type="research.specialist",
            name=question.text,
            goal=question.text,
            input=QuestionInput(objective=with_instructions(state["objective"], state), question=question),
        )
        for question in questions
    ]
    outcomes = delegation.ask(context, questions, tasks, known, reason="the domain needs an answer to every question")
    return {
        "outcomes": outcomes,
        "specialist_coordination": {"active_specialists": [outcome["session_id"] for outcome in outcomes.values()]},
    }


def synthesise(state: ArchitectState, runtime: Context) -> ArchitectState:
    """Draw the answers together and name what is missing."""
    context = runtime.context
    outcomes = delegation.fetched(context, state["outcomes"])
    answers = [Answer.model_validate(result) for result in delegation.results(outcomes)]
    domain = Domain.model_validate(state["domain"])
    context.voice.say(f"Drawing {len(answers)} answers together")
    summary = context.brain.summarise(with_instructions(state["objective"], state), domain.title, answers)
    if handed := context.colleagues.hand_over(key="rest"):
        context.voice.say(f"Handing over what I do not need: {', '.join(f'{v} {k}' for k, v in handed.items())}")
    cited = sum(1 for answer in answers if answer.citations)
    context.voice.say(f"{cited} of {len(answers)} questions answered from the sources")
    return {
        "domain_context": {"active_projects": [], "collaboration_history": [f"{len(answers)} answers received"]},
        "specialist_coordination": {"synthesis": summary},
        "result": {
            "domain": domain.title,
            "summary": summary,
            "answers": [answer.model_dump(mode="json") for answer in answers],
            "missing": delegation.missing(outcomes),
        },
    }


def answers(respondent: Respondent, asked: Told, state: Mapping[str, Any]) -> Mapping[str, Any] | PassOn:
    """Tell a peer what this domain asks; say how a specialist that is stuck goes on."""
    delegated = state.get("specialist_coordination", {}).get("delegation", [])
    if asked.kind == CommunicationType.ESCALATION:
        return escalation.do_without(delegated, "questions are asked in this domain")
    if asked.kind in (CommunicationType.PEER_MESSAGE, CommunicationType.DESIGN_CONSISTENCY):
        return {"domain": respondent.name, "questions": [question["text"] for question in delegated]}
    return PassOn("this is not mine to say")


def build() -> StateGraph[ArchitectState, AgentContext, ArchitectState, ArchitectState]:
    """The architect's graph."""
    graph = StateGraph(ArchitectState, context_schema=AgentContext)
    graph.add_node("frame", heeding(frame))
    graph.add_node("delegate", heeding(delegate))
    graph.add_node("review", heeding(delegation.review))
    graph.add_node("synthesise", heeding(synthesise))
    graph.add_edge(START, "frame")
    graph.add_edge("frame", "delegate")
    graph.add_edge("delegate", "review")
    graph.add_conditional_edges("review", delegation.route("synthesise"), ["delegate", "synthesise"])
    graph.add_edge("synthesise", END)
    return graph
