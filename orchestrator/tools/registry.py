"""All tools, by name."""

from typing import Any

from agents.errors import NotFound
from orchestrator.tools.knowledge import READ_PASSAGE, REMEMBER, SEARCH_SOURCES
from orchestrator.tools.outbox import PUBLISH_REPORT, UNPUBLISH_REPORT
from orchestrator.tools.tool import Tool

_TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool for tool in (SEARCH_SOURCES, READ_PASSAGE, REMEMBER, PUBLISH_REPORT, UNPUBLISH_REPORT)
}


def register(tool: Tool[Any]) -> None:
    """Add a tool."""
    _TOOLS[tool.name] = tool


def tools() -> list[Tool[Any]]:
    """All of them, by name."""
    return [_TOOLS[name] for name in sorted(_TOOLS)]


def tool_named(name: str) -> Tool[Any]:
    """The tool. Raises NotFound."""
    try:
        return _TOOLS[name]
    except KeyError:
        raise NotFound(f"There is no tool “{name}”.") from None
