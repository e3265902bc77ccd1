"""How a node waits: it interrupts with a named question and is called again with the answer."""

from typing import Any

from langgraph.types import interrupt

from agents.lifecycle import WaitKind


def ask(kind: WaitKind, key: str, *, subject: str, reason: str, **request: Any) -> Any:
    """Stop the graph until `key` is answered; the answer's value.

    LangGraph hands answers to a task's interrupts by position. Each answer names its question, and one that
    belongs to another question is passed over, so that a call skipped on a replay cannot shift them.
    """
    while True:
        answer = interrupt({"wait": str(kind), "key": key, "subject": subject, "reason": reason, **request})
        if isinstance(answer, dict) and answer.get("key") == key:
            return answer["value"]
