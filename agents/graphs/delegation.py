"""What all delegating levels share: ask whom has not answered, keep who has, decide whether that is enough."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from langgraph.runtime import Runtime

from agents.errors import DetailMissing, NothingToGoOn
from agents.graphs.ports import AgentContext, ChildOutcome, ChildTask

Outcomes = dict[str, dict[str, Any]]


class Keyed(Protocol):
    """A task's subject: a domain, a question, a piece of work."""

    @property
    def key(self) -> str:
        """Unique among its siblings."""
        ...


def unanswered(subjects: Iterable[Any], outcomes: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """The subjects without a result so far."""
    return [subject for subject in subjects if outcomes.get(subject.key, {}).get("output") is None]


def ask(
    context: AgentContext, subjects: Sequence[Keyed], tasks: Sequence[ChildTask], known: Outcomes, *, reason: str
) -> Outcomes:
    """Delegate `tasks`, one a subject, and add their outcomes to those already known."""
    returned = context.team.delegate(tasks, key="work", reason=reason)
    fresh = {subject.key: _outcome(child) for subject, child in zip(subjects, returned, strict=True)}
    return known | fresh


def _outcome(child: ChildOutcome) -> dict[str, Any]:
    return {
        "session_id": str(child.session_id),
        "name": child.name,
        "status": child.status,
        "output": child.output,
        "error": child.error,
        "missing": child.missing,
        "ended_at": child.ended_at.isoformat() if child.ended_at else None,
    }


def fetched(context: AgentContext, outcomes: Outcomes) -> Outcomes:
    """The outcomes with their results whole. One that is not kept any more counts as missing, and says so."""
    return {key: _whole(context, outcome) for key, outcome in outcomes.items()}


def _whole(context: AgentContext, outcome: dict[str, Any]) -> dict[str, Any]:
    try:
        return outcome | {"output": context.details.whole(outcome["output"])}
    except DetailMissing:
        told = outcome["output"]["summary"]
        return outcome | {"output": None, "missing": f"its result is not kept any more (it was: {told})"}


def missing(outcomes: Outcomes) -> list[str]:
    """Who came back without a result, and why, a sentence each."""
    return [
        f"{outcome['name']}: {outcome.get('missing') or outcome['error'] or outcome['status']}"
        for outcome in outcomes.values()
        if outcome["output"] is None
    ]


def should_ask_again(context: AgentContext, outcomes: Outcomes) -> bool:
    """Did somebody end without a result before this run began? Then a person wants them asked again."""
    return any(
        outcome["output"] is None
        and outcome["ended_at"]
        and datetime.fromisoformat(outcome["ended_at"]) < context.run_started_at
        for outcome in outcomes.values()
    )


def require_some(outcomes: Outcomes) -> None:
    """Raise NothingToGoOn, with the first reason, when nobody came back with a result."""
    if outcomes and all(outcome["output"] is None for outcome in outcomes.values()):
        raise NothingToGoOn(f"Nobody below came back with a result. {missing(outcomes)[0]}")


def review(state: Any, runtime: Runtime[AgentContext]) -> dict[str, Any]:
    """Node: fail when nobody came back with a result, unless the missing ones are to be asked again."""
    if not should_ask_again(runtime.context, state["outcomes"]):
        require_some(state["outcomes"])
    return {}


def route(then: str) -> Callable[[Any, Runtime[AgentContext]], str]:
    """Edge: back to "delegate" for those who failed before this run, or on to `then`."""

    def choose(state: Any, runtime: Runtime[AgentContext]) -> str:
        again = should_ask_again(runtime.context, state["outcomes"])
        return "delegate" if again else then

    return choose


def results(outcomes: Outcomes) -> list[dict[str, Any]]:
    """What came back, in order of the tasks."""
    return [outcome["output"] for outcome in outcomes.values() if outcome["output"] is not None]
