"""Graphs that were written without Queenright, as kinds of agents: their tools are guarded, their results are JSON."""

import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic_core import to_jsonable_python

from agents.errors import NotFound
from agents.graphs.ports import AgentContext
from agents.storable import jsonb_value
from orchestrator.runtime import agent_types
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.graph_files import Entry, read
from orchestrator.runtime.tool_nodes import guard, is_async_only, tool_nodes
from orchestrator.tools import registry
from orchestrator.tools.langchain import ImportedTool, imported

PREFIX = "graph."
_RESULTS = ("result", "structured_response")  # keys of a state that are its result, the first that is there
Graph = StateGraph[Any, Any, Any, Any]


def register(file: Path) -> None:
    """Add the graphs of a langgraph.json as kinds of agents, and their tools. Raises ImproperlyConfigured."""
    for entry in read(file):
        agent_types.register(_kind(entry))


def _kind(entry: Entry) -> AgentType:
    name = f"{PREFIX}{entry.name}"
    if agent_types.is_known(name):
        raise entry.refusal("another graph has this name.")
    graph = _graph(entry)
    tools = _guarded_tools(entry, graph)
    try:
        output = graph.compile().output_channels
    except Exception as error:
        raise entry.refusal(f"it does not compile: {error}") from error
    return AgentType(
        name,
        entry.addition.level,
        lambda: graph,
        context=_context(entry, graph),
        result=result_of([output] if isinstance(output, str) else output),
        tools=frozenset(tools),
    )


def _graph(entry: Entry) -> Graph:
    """What the variable means, without what it was compiled with. Raises ImproperlyConfigured."""
    found = entry.load()
    if callable(found):
        found = _made(entry, found)
    if isinstance(found, CompiledStateGraph):
        if found.interrupt_before_nodes or found.interrupt_after_nodes:
            raise entry.refusal(
                "it is compiled with interrupt_before or interrupt_after, which ask nobody anything. "
                "Call interrupt() in the node instead."
            )
        found = found.builder
    if not isinstance(found, StateGraph):
        raise entry.refusal(
            f"“{entry.variable}” is of type {type(found).__name__}, "
            "and not a StateGraph, a compiled one, or a function that makes one."
        )
    if waiting := [name for name, node in found.nodes.items() if getattr(node.runnable, "func", True) is None]:
        raise entry.refusal(f"its node {waiting[0]} has only an asynchronous form.")
    return found


def _made(entry: Entry, make: Callable[..., Any]) -> Any:
    """What a function makes, which takes nothing or a RunnableConfig."""
    if inspect.iscoroutinefunction(make) or inspect.isasyncgenfunction(make):
        raise entry.refusal(f"“{entry.variable}” is asynchronous. A function that returns a graph at once is needed.")
    try:
        needed = [one for one in inspect.signature(make).parameters.values() if _is_needed(one)]
        return make(*[{"configurable": {}} for _ in needed[:1]])
    except Exception as error:
        raise entry.refusal(f"“{entry.variable}” makes no graph: {type(error).__name__}: {error}") from error


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind in (
        parameter.POSITIONAL_ONLY,
        parameter.POSITIONAL_OR_KEYWORD,
    )


def _context(entry: Entry, graph: Graph) -> Callable[[AgentContext], Any]:
    """What its nodes are given: what the file says, to be made into the graph's own kind by LangGraph."""
    given = entry.addition.context
    if given is None and graph.context_schema is not None:
        given = {}
    return lambda own: given


def _guarded_tools(entry: Entry, graph: Graph) -> set[str]:
    """Put the guard into each tool node; the names of the tools, all of which are registered then."""
    names = set()
    for node in tool_nodes(graph):
        for tool in node.tools_by_name.values():
            _register_tool(entry, tool)
            names.add(tool.name)
        guard(node)
    return names


def _register_tool(entry: Entry, tool: BaseTool) -> None:
    """A tool of which nobody has said anything is of high risk and asks. Raises ImproperlyConfigured."""
    if is_async_only(tool):
        raise entry.refusal(f"its tool {tool.name} has only an asynchronous form. Give it a synchronous one, too.")
    made = imported(tool)
    try:
        known = registry.tool_named(tool.name)
    except NotFound:
        registry.register(made)
        return
    if not isinstance(known, ImportedTool) or known.schema() != made.schema():
        raise entry.refusal(
            f"there is another tool that is called {tool.name}, with other arguments or of another kind."
        )


def result_of(output: Collection[str]) -> Callable[[Any], Any]:
    """Makes what a graph came to of its last state, as JSON: its result, what its model said last, or its output."""

    def result(values: Any) -> Any:
        if not isinstance(values, Mapping):
            return _plain(values)
        for name in _RESULTS:
            if values.get(name) is not None:
                return _plain(values[name])
        if said := _said_last(values.get("messages")):
            return _plain({"text": said})
        return _plain({name: value for name, value in values.items() if name in output})

    return result


def _said_last(messages: Any) -> str:
    last = next((one for one in reversed(messages or []) if isinstance(one, AIMessage)), None)
    return str(last.text) if last else ""


def _plain(value: Any) -> Any:
    return jsonb_value(to_jsonable_python(value, bytes_mode="base64", fallback=str))
