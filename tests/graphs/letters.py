"""Agents of LangChain's own making, which know nothing of Queenright."""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.types import interrupt
from lines import MODEL, burn, leave, send

batched = create_agent(MODEL, [send, burn], middleware=[HumanInTheLoopMiddleware({"send": True, "burn": True})])


def per_call():
    middleware = HumanInTheLoopMiddleware({"send": True, "burn": True}, interrupt_mode="per_call")
    return create_agent(MODEL, [send, burn], middleware=[middleware])


@tool
def ask_around(question: str) -> str:
    """Ask somebody."""
    said = interrupt({"question": question})
    leave(f"asked:{question}")
    return f"they say {said}"


def with_a_tool_that_asks(config):
    assert config["configurable"] == {}
    return create_agent(MODEL, [ask_around])
