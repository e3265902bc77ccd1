"""What people tell an agent while it works: each step reads what came before its state was saved."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from langgraph.runtime import Runtime

from agents.graphs.ports import AgentContext

NodeT = TypeVar("NodeT", bound=Callable[..., Any])


def heeding(node: NodeT) -> NodeT:
    """The node, with what was told since the step before in its state's `instructions`, and kept there."""

    @wraps(node)
    def run(state: Any, runtime: Runtime[AgentContext]) -> Any:
        told = list(runtime.context.inbox.read())
        if not told:
            return node(state, runtime)
        heard = {**state, "instructions": [*state.get("instructions", []), *told]}
        return {**node(heard, runtime), "instructions": told}

    return cast("NodeT", run)


def with_instructions(text: str, state: Any) -> str:
    """A task in words, with what people have told its agent since, a line each."""
    return "\n".join([text, *state.get("instructions", [])])
