"""Clerks of LangChain's own making, which know nothing of Queenright: each wants to post one letter."""

import os
from pathlib import Path

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from tests.scripted import Script, calls

MODEL = Script(lines=[calls(("post", {"to": "ann", "text": "hello"})), AIMessage("It is posted.")])


@tool
def post(to: str, text: str) -> str:
    """Post a letter."""
    with Path(os.environ["QUEENRIGHT_TEST_TRACE"]).open("a") as box:
        box.write(f"{to}: {text}\n")
    return f"posted to {to}"


def batched():
    return create_agent(MODEL, [post], middleware=[HumanInTheLoopMiddleware({"post": True})])


def per_call():
    return create_agent(MODEL, [post], middleware=[HumanInTheLoopMiddleware({"post": True}, interrupt_mode="per_call")])
