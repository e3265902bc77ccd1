"""A chat model that says what it was given to say, and what its tools leave behind."""

import os
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult

from tests.agent_types import TRACE


class Script(BaseChatModel):
    """A model that says one line after the other, whatever it hears."""

    lines: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools: Any, **kwargs: Any) -> "Script":
        return self

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        said = sum(isinstance(message, AIMessage) for message in messages)
        return ChatResult(generations=[ChatGeneration(message=self.lines[said].model_copy())])


def leave(name: str) -> None:
    with Path(os.environ[TRACE]).open("a") as trace:
        trace.write(f"{name}\n")


def calls(*made: tuple[str, dict[str, Any]], saying: str = "I will") -> AIMessage:
    return AIMessage(
        saying, tool_calls=[ToolCall(name=name, args=args, id=f"call{n}") for n, (name, args) in enumerate(made)]
    )
