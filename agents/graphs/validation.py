"""A doubtful answer is looked at by a peer, who judges it as the quality gate would."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from agents.graphs.colleagues import Colleagues
from agents.graphs.findings import Answer
from agents.graphs.ports import Brain
from agents.words import CommunicationType

DOUBTFUL = 0.35  # confidence below which an answer that cites sources is shown to a peer
SECONDS = 120.0


def peer_for(answer: Answer, colleagues: Colleagues) -> str | None:
    """Who is to look at an answer, by its id; empty when nobody is at work, None when there is no doubt.

    Chosen a step before the peer is asked: a step that is redone must not find another one. What cites no source
    claims nothing.
    """
    if not answer.citations or answer.confidence >= DOUBTFUL:
        return None
    return next((str(one.session_id) for one in colleagues.peers() if one.is_at_work), "")


def by_peer(peer: str, colleagues: Colleagues, answer: Answer) -> tuple[dict[str, str], Answer]:
    """What the peer says about an answer, and the answer with the doubts that are left named in it."""
    if not peer:
        return {"verdict": "not validated"}, _with(answer, "Not validated: nobody else is at work.")
    reply = colleagues.request(
        CommunicationType.VALIDATION,
        {"answer": answer.model_dump(mode="json")},
        to=UUID(peer),
        key="validation",
        reason="the answer is doubtful",
        seconds=SECONDS,
    )
    if reply.content is None:
        return {"verdict": "not validated"}, _with(answer, f"Not validated: {reply.missing}.")
    if reply.content["passed"]:
        return {"by": reply.by, "verdict": "validated"}, answer
    reasons = " ".join(reply.content["reasons"])
    return {"by": reply.by, "verdict": "doubted"}, _with(answer, f"Doubted by {reply.by}: {reasons}")


def _with(answer: Answer, doubt: str) -> Answer:
    return answer.model_copy(update={"missing": f"{answer.missing} {doubt}".strip()})


def judge(brain: Brain, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A peer's word on an answer, whose question stands for the objective. Raises ValueError for what is none."""
    answer = Answer.model_validate(asked["answer"])
    judgement = brain.judge(answer.question, [answer])
    return {"passed": judgement.passed, "score": judgement.score, "reasons": list(judgement.reasons)}
