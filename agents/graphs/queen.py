"""The queen: surveys the sources, splits the objective, sends architects out, judges, and has the report published."""

from collections.abc import Mapping
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.graphs import delegation, escalation, gates
from agents.graphs.colleagues import PassOn, Respondent, Told
from agents.graphs.findings import Answer, Domain, Plan, Report
from agents.graphs.inputs import DomainInput, PublicationDraft, PublicationInput
from agents.graphs.instructions import heeding, with_instructions
from agents.graphs.ports import AgentContext, ChildTask
from agents.graphs.reports import file_name, markdown
from agents.graphs.states import QueenPerformance, QueenState
from agents.words import CommunicationType

MOST_DOMAINS = 4
SAMPLE = 400

Context = Runtime[AgentContext]


def survey(state: QueenState, runtime: Context) -> QueenState:
    """Make the sources searchable."""
    context = runtime.context
    context.voice.say("Reading the sources")
    context.sources.prepare(lambda done, total: context.voice.say(f"Reading the sources: {done} of {total} passages"))
    outlines = context.sources.outlines()
    words = sum(outline.words for outline in outlines)
    return {
        "strategic_context": {
            "current_objectives": [state["objective"]],
            "resource_allocation": {"sources": len(outlines), "words": words},
            "decision_history": [f"Surveyed {len(outlines)} sources with {words} words"],
        }
    }


def plan(state: QueenState, runtime: Context) -> QueenState:
    """Split the objective into domains."""
    context = runtime.context
    context.voice.say("Splitting the objective into domains")
    made = context.brain.plan(
        with_instructions(state["objective"], state),
        context.sources.outlines(),
        context.sources.sample(SAMPLE),
        most=MOST_DOMAINS,
    )
    context.voice.say(made.approach)
    titles = ", ".join(domain.title for domain in made.domains)
    context.colleagues.broadcast(
        CommunicationType.STRATEGIC_DECISION,
        {"decision": made.approach, "domains": [domain.title for domain in made.domains]},
        key="plan",
        below=True,
    )
    return {
        "plan": made.model_dump(mode="json"),
        "strategic_context": {"decision_history": [f"{len(made.domains)} domains: {titles}"]},
        "coordination": {"delegation_queue": [domain.model_dump(mode="json") for domain in made.domains]},
    }


def delegate(state: QueenState, runtime: Context) -> QueenState:
    """Send an architect into each domain that has no result yet, or whose result the gate sent back."""
    context = runtime.context
    known, gate = state.get("outcomes", {}), state.get("gate", {})
    planned = Plan.model_validate(state["plan"]).domains
    back = [gates.redirected(domain, gate) for domain in planned if domain.key in gate.get("weak", [])]
    kept = {domain.key for domain in back}
    domains: list[Domain] = [*(one for one in delegation.unanswered(planned, known) if one.key not in kept), *back]
    context.voice.say(f"Sending {len(domains)} {'architect' if len(domains) == 1 else 'architects'} out")
    tasks = [
        ChildTask(
            agent_type="research.architect",
            name=domain.title,
            goal=domain.focus,
            input=DomainInput(objective=with_instructions(state["objective"], state), domain=domain),
        )
        for domain in domains
    ]
    outcomes = delegation.ask(context, domains, tasks, known, reason="the report needs the answers of every domain")
    outcomes = {key: gates.better(known.get(key), outcome) for key, outcome in outcomes.items()}
    return {
        "outcomes": outcomes,
        "gate": {**gate, "weak": []},
        "coordination": {
            "active_architects": [outcome["session_id"] for outcome in outcomes.values()],
            "delegation_queue": [],
        },
    }


def review(state: QueenState, runtime: Context) -> QueenState:
    """The quality gate: is there enough to report?"""
    context = runtime.context
    outcomes = state["outcomes"]
    if delegation.should_ask_again(context, outcomes):
        return {}
    outcomes = delegation.fetched(context, outcomes)
    delegation.require_some(outcomes)
    answers = _answers(outcomes)
    context.voice.say(f"Judging {len(answers)} answers")
    judgement = context.brain.judge(with_instructions(state["objective"], state), answers)
    gate = gates.decide(judgement, outcomes, rounds=state.get("gate", {}).get("round", 0))
    titles = [outcomes[key]["name"] for key in gate["weak"]]
    context.voice.say(f"Quality gate: {_words(gate, titles)}")
    context.colleagues.broadcast(
        CommunicationType.QUALITY_GATE,
        {"verdict": gate["verdict"], "score": judgement.score, "reasons": gate["reasons"], "domains": titles},
        key=f"gate:{len(state['coordination'].get('validation_checkpoints', []))}",
        below=True,
    )
    return {
        "gate": gate,
        "coordination": {"validation_checkpoints": [judgement.model_dump(mode="json")]},
        "performance": {"quality_scores": [judgement.score]},
        "strategic_context": {"decision_history": [f"Quality gate: {_words(gate, titles)}, {judgement.score:.2f}"]},
    }


def _words(gate: dict[str, Any], titles: list[str]) -> str:
    if gate["verdict"] == gates.Verdict.REDIRECT:
        return f"sent back to {', '.join(titles)}"
    if gate["verdict"] == gates.Verdict.HALT:
        return "halted, for no answer cites a source"
    return "passed with reservations" if gate["reasons"] else "passed"


def route(state: QueenState, runtime: Context) -> str:
    """Edge: back to the architects for what failed before this run or was sent back by the gate, or on."""
    is_back = bool(state.get("gate", {}).get("weak"))
    return "delegate" if is_back or delegation.should_ask_again(runtime.context, state["outcomes"]) else "compose"


def route_report(state: QueenState) -> str:
    """Edge: a report that the gate halted is not published."""
    return "conclude" if state["gate"]["verdict"] == gates.Verdict.HALT else "publish"


def compose(state: QueenState, runtime: Context) -> QueenState:
    """Write the report."""
    context = runtime.context
    context.voice.say("Writing the report")
    outcomes = delegation.fetched(context, state["outcomes"])
    answers = _answers(outcomes)
    reservations = state["coordination"]["validation_checkpoints"][-1]["reasons"]
    missing = [*delegation.missing(outcomes), *_missing_below(outcomes), *reservations]
    report = Report(
        title=state["title"],
        summary=context.brain.summarise(with_instructions(state["objective"], state), state["title"], answers),
        answers=tuple(answers),
        missing=tuple(dict.fromkeys(missing)),
    )
    return {"report": report.model_dump(mode="json")}


def publish(state: QueenState, runtime: Context) -> QueenState:
    """Have a worker publish the report."""
    context = runtime.context
    report = Report.model_validate(state["report"])
    cited = [citation.passage_id for answer in report.answers for citation in answer.citations]
    draft = PublicationDraft(
        file_name=file_name(report.title, str(context.mission_id)),
        title=report.title,
        content=markdown(report, context.sources.passages(list(dict.fromkeys(cited)))),
        summary=report.summary,
    )
    context.voice.say("Handing the report to a publisher")
    (outcome,) = context.team.delegate(
        [
            ChildTask(
                agent_type="research.publisher",
                name="Publisher",
                goal=f"Publish “{report.title}” into the outbox",
                input=PublicationInput(report=draft),
            )
        ],
        key="publication",
        reason="the report is to be published",
    )
    return {
        "publication": context.details.whole(outcome.output)
        or {"published": False, "reason": outcome.error or outcome.status}
    }


def conclude(state: QueenState, runtime: Context) -> QueenState:
    """Say how it ended."""
    publication = state.get("publication") or {"published": False, "reason": _halted(state["gate"])}
    answers = state["report"]["answers"]
    if publication["published"]:
        runtime.context.voice.say(f"Done: {len(answers)} answers, published as {publication['file_name']}")
    else:
        runtime.context.voice.say(f"Done: {len(answers)} answers, not published: {publication['reason']}")
    answered = sum(1 for answer in answers if answer["citations"])
    performance: QueenPerformance = {
        "efficiency": round(answered / len(answers), 4) if answers else 0.0,
        "resource_use": {"architects": len(state["outcomes"]), "answers": len(answers)},
    }
    runtime.context.colleagues.broadcast(CommunicationType.PERFORMANCE, {**performance}, key="performance", below=True)
    return {
        "performance": performance,
        "result": {"report": state["report"], "publication": publication},
    }


def _halted(gate: dict[str, Any]) -> str:
    return " ".join(["The quality gate halted it: no answer cites a source.", *gate["reasons"]])


def _answers(outcomes: dict[str, dict[str, Any]]) -> list[Answer]:
    return [Answer.model_validate(answer) for result in delegation.results(outcomes) for answer in result["answers"]]


def _missing_below(outcomes: dict[str, dict[str, Any]]) -> list[str]:
    return [sentence for result in delegation.results(outcomes) for sentence in result["missing"]]


def answers(respondent: Respondent, asked: Told, state: Mapping[str, Any]) -> Mapping[str, Any] | PassOn:
    """Say how an architect that is stuck goes on; people decide where nobody else is at work."""
    if asked.kind == CommunicationType.ESCALATION:
        return escalation.do_without(state.get("plan", {}).get("domains", []), "domains are worked on")
    return PassOn("this is not mine to say")


def build() -> StateGraph[QueenState, AgentContext, QueenState, QueenState]:
    """The queen's graph."""
    graph = StateGraph(QueenState, context_schema=AgentContext)
    graph.add_node("survey", heeding(survey))
    graph.add_node("plan", heeding(plan))
    graph.add_node("delegate", heeding(delegate))
    graph.add_node("review", heeding(review))
    graph.add_node("compose", heeding(compose))
    graph.add_node("publish", heeding(publish))
    graph.add_node("conclude", heeding(conclude))
    graph.add_edge(START, "survey")
    graph.add_edge("survey", "plan")
    graph.add_edge("plan", "delegate")
    graph.add_edge("delegate", "review")
    graph.add_conditional_edges("review", route, ["delegate", "compose"])
    graph.add_conditional_edges("compose", route_report, ["publish", "conclude"])
    graph.add_edge("publish", "conclude")
    graph.add_edge("conclude", END)
    return graph
