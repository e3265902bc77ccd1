"""What no level could answer, as a question to people in the name of the agent that asked first."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.actor import SYSTEM
from agents.errors import InvalidInput
from agents.lifecycle import Risk, WaitKind
from agents.models import AgentSession, SessionWait
from agents.services import approvals, sessions, waits

PEOPLE = "people"
MOST_CHARACTERS = 4000  # of advice
VERDICTS: Mapping[str, str] = {"approve": "advice", "again": "retry", "reject": "skip"}
"""What the verdict of a person means to the agent that asked."""

_SCHEMA = {
    "type": "object",
    "properties": {"advice": {"type": "string", "title": "Advice", "maxLength": MOST_CHARACTERS}},
    "required": ["advice"],
    "additionalProperties": False,
}


def put_to_people(asker: AgentSession, wait: SessionWait, content: Mapping[str, Any], passed: Sequence[str]) -> None:
    """Ask people on the open wait of a locked session. `passed` says who could not answer, a sentence each."""
    problem = str(content.get("problem") or content)
    question = waits.Question(
        interrupt_id=wait.interrupt_id,
        kind=WaitKind.REPLY,
        key=wait.request["key"],
        request={},
        subject=wait.subject,
        reason=wait.reason,
    )
    asked = approvals.Request(
        kind=WaitKind.REPLY,
        title=f"{asker.name} needs advice",
        tool_name="escalation",
        risk=Risk.LOW,
        intent=problem,
        proposed={"advice": ""},
        allowed=(*VERDICTS, "edit"),
        schema=_SCHEMA,
        effects=(
            *({"weight": "info", "text": f"{one}."} for one in passed),
            {"weight": "info", "text": "The agent goes on with your advice, tries again, or does without it."},
        ),
    )
    approvals.request(asker, question, asked)
    status = waits.resting_status(asker)
    if sessions.is_waiting(asker) and status != asker.status:
        sessions.move(asker, status, actor=SYSTEM, cause="put_to_people")


def check(given: Mapping[str, Any] | None) -> dict[str, str]:
    """The advice of a person. Raises InvalidInput."""
    if unknown := set(given or {}) - {"advice"}:
        raise InvalidInput(fields=dict.fromkeys(sorted(unknown), "Only advice is asked for."))
    advice = (given or {}).get("advice")
    if not isinstance(advice, str) or not advice.strip() or len(advice) > MOST_CHARACTERS or "\0" in advice:
        raise InvalidInput(fields={"advice": f"Say what to do, in 1 to {MOST_CHARACTERS} characters."})
    return {"advice": advice.strip()}


def advice_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """What a person's answer to an agent's wait means to that agent."""
    verdict = VERDICTS.get(answer["type"], "skip")
    words = (answer["args"] or {}).get("advice", "") if verdict == "advice" else answer["message"]
    return {"verdict": verdict, "words": words}
