"""The quality gate: lets a report through, sends weak domains back once with the reason, or halts."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from agents.graphs.findings import Answer, Domain, Judgement

MOST_ROUNDS = 1  # in which domains are sent back
WEAK = 0.2  # confidence up to which an answer does not count


class Verdict(StrEnum):
    """What the gate does."""

    PASS = "pass"  # noqa: S105 - no password
    REDIRECT = "redirect"
    HALT = "halt"


def answers_of(outcome: Mapping[str, Any]) -> list[Answer]:
    """The answers that came back from one domain."""
    output = outcome.get("output") or {}
    return [Answer.model_validate(answer) for answer in output.get("answers", [])]


def decide(judgement: Judgement, outcomes: Mapping[str, Mapping[str, Any]], *, rounds: int) -> dict[str, Any]:
    """The gate's verdict over what each domain came back with, after so many `rounds` in which some were sent back.

    A judgement that passes lets all through. Else the domains without one sound answer are sent back, as long as there
    are rounds left; then it halts if no answer cites a source, for there is nothing to report. Plain data, for the
    queen's state.
    """
    weak = [key for key, outcome in outcomes.items() if not any(map(_is_sound, answers_of(outcome)))]
    gate: dict[str, Any] = {"score": judgement.score, "reasons": list(judgement.reasons), "round": rounds, "weak": []}
    if judgement.passed:
        return {**gate, "verdict": str(Verdict.PASS)}
    if weak and rounds < MOST_ROUNDS:
        sent_back = {"weak": weak, "round": rounds + 1, "open": list(judgement.open)}
        return {**gate, **sent_back, "verdict": str(Verdict.REDIRECT)}
    is_empty = not any(answer.citations for outcome in outcomes.values() for answer in answers_of(outcome))
    return {**gate, "verdict": str(Verdict.HALT if is_empty else Verdict.PASS)}


def _is_sound(answer: Answer) -> bool:
    return bool(answer.citations) and answer.confidence > WEAK


def redirected(domain: Domain, gate: Mapping[str, Any]) -> Domain:
    """The domain as it is sent back: what is still open is asked, or what was wrong is said."""
    open_questions: Sequence[str] = gate.get("open", ())
    if open_questions:
        return domain.model_copy(update={"focus": " ".join(open_questions)})
    return domain.model_copy(update={"focus": f"{domain.focus} Better than before: {' '.join(gate['reasons'])}"})


def better(known: Mapping[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """What a domain came back with: the later outcome, unless the earlier one has more answers with sources."""
    if known is None or known.get("output") is None:
        return new
    earlier, later = (sum(1 for answer in answers_of(one) if answer.citations) for one in (known, new))
    return new if new["output"] is not None and later >= earlier else dict(known)
