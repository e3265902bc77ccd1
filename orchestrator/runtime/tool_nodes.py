"""The tool nodes of a graph that knows nothing of Queenright, and the guard in each of them."""

import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import StateGraph
from langgraph.graph._node import StateNodeSpec
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.pregel import Pregel
from langgraph.pregel._read import PregelNode
from langgraph.pregel._utils import get_function_nonlocals
from langgraph.types import Command

from agents.errors import ToolRefused
from orchestrator.runtime.langchain_guard import guarded

Handler = Callable[[ToolCallRequest], Any]
_HOOK, _ASYNC_HOOK = "_wrap_tool_call", "_awrap_tool_call"
_HELD = ("bound", "first", "middle", "last", "steps", "steps__", "func", "afunc", "coroutine", "runnable", "fallbacks",
         "branches", "default")  # fmt: skip
_PLAIN = (str, bytes, int, float, complex, type(None))  # a module's data may have millions of them
_OURS = ("agents", "memory", "orchestrator")
_STANDARD = sysconfig.get_path("stdlib")


@dataclass(frozen=True, slots=True)
class Innermost:
    """The guard inside all that a tool node wraps its calls in: it sees arguments as they are when the tool is run."""

    outer: Callable[[ToolCallRequest, Handler], Any] | None

    def __call__(self, request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
        """The result of a call, made once."""

        def inner(asked: ToolCallRequest) -> ToolMessage | Command[Any]:
            return guarded(asked, handler)

        return self.outer(request, inner) if self.outer else inner(request)


def guard(node: ToolNode) -> None:
    """Let none of a node's calls pass by the guard, once. Raises AttributeError for one that cannot be guarded."""
    outer = getattr(node, _HOOK)
    if isinstance(outer, Innermost):
        return
    getattr(node, _ASYNC_HOOK)
    setattr(node, _HOOK, Innermost(outer))
    setattr(node, _ASYNC_HOOK, _refuse)
    if node.func is not None:
        node.func = OneByOne(node.func)


async def _refuse(request: ToolCallRequest, handler: Any) -> ToolMessage:
    name = request.tool_call["name"]
    raise ToolRefused(
        f"{name} is guarded, and a guarded tool cannot be awaited: call the graph by invoke, not ainvoke."
    )


@dataclass(frozen=True, slots=True)
class OneByOne:
    """Calls of a message that are made in one task are made in their order.

    LangGraph hands a task's answers out by the order of its questions. Calls that ask side by side would swap them.
    """

    run: Callable[..., Any]

    def __call__(self, input: Any, *, config: Mapping[str, Any], **given: Any) -> Any:  # noqa: A002  # LangGraph's name
        """What the calls come to."""
        has_own_task = isinstance(input, list) and len(input) == 1
        return self.run(input, config=config if has_own_task else {**config, "max_concurrency": 1}, **given)


def tool_nodes(graph: StateGraph[Any, Any, Any, Any]) -> list[ToolNode]:
    """Each tool node that a graph reaches: as a node, in graphs below it, and in those that its code names."""
    seen: dict[int, Any] = {}
    waiting = list(_parts(graph))
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen[id(one)] = one  # held, so that its id stays its own
            waiting.extend(part for part in _parts(one) if not isinstance(part, _PLAIN))
    return [one for one in seen.values() if isinstance(one, ToolNode)]


def _parts(whole: Any) -> Iterable[Any]:
    """What something is made of, as far as there may be tool nodes in it."""
    return next((parts(whole) for kind, parts in _PARTS if isinstance(whole, kind)), _of_object(whole))


def _of_object(one: Any) -> Iterator[Any]:
    """What an object of the graph's own holds, and what its class does; not what libraries' objects hold."""
    for kind in type(one).__mro__:
        if _is_own(kind):
            yield from vars(kind).values()
            yield from getattr(one, "__dict__", {}).values()
            slots = [name for name in vars(kind).get("__slots__", ()) if isinstance(name, str)]
            yield from (getattr(one, name) for name in slots if hasattr(one, name))


def _is_own(kind: type) -> bool:
    """Is it a class of the graph's author?"""
    if _is_ours(kind.__module__):
        return False
    place = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return place is not None and not _is_in_a_library(place)


def _of_runnable(runnable: Runnable[Any, Any]) -> Iterator[Any]:
    fields = vars(runnable)
    yield from (fields[name] for name in _HELD if name in fields)


def _is_ours(module: str | None) -> bool:
    return (module or "").partition(".")[0] in _OURS


def _of_graph(graph: Any) -> Iterator[Any]:
    """The nodes of a graph, and what chooses between them."""
    yield from graph.nodes.values()
    made_of = getattr(graph, "builder", graph)
    for branches in getattr(made_of, "branches", {}).values():
        yield from (branch.path for branch in branches.values())


def _named_in(function: FunctionType) -> Iterator[Any]:
    """What a function of the graph's own names: globals, and what it was made with. Libraries' are not looked into."""
    if _is_ours(function.__module__) or _is_in_a_library(function.__code__.co_filename):
        return
    yield from get_function_nonlocals(function)
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    empty = CellType()
    yield from (cell.cell_contents for cell in function.__closure__ or () if cell != empty)
    yield from (function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__)


def _names(code: CodeType) -> Iterator[str]:
    """All that code names, with what is defined in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_in_a_library(file_name: str) -> bool:
    place = Path(file_name)
    return "site-packages" in place.parts or place.is_relative_to(_STANDARD)


_PARTS: tuple[tuple[Any, Callable[[Any], Iterable[Any]]], ...] = (
    (ToolNode, lambda node: node.tools_by_name.values()),
    (Pregel | StateGraph, _of_graph),
    (StateNodeSpec, lambda node: (node.runnable,)),
    (PregelNode, lambda node: (node.bound,)),
    (Runnable, _of_runnable),  # tools, too
    (MethodType, lambda method: (method.__func__, method.__self__)),
    (FunctionType, _named_in),
    (partial, lambda made: (made.func, *made.args, *made.keywords.values())),
    (type, lambda kind: vars(kind).values() if _is_own(kind) else ()),
    (dict, lambda held: held.values()),
    (list | tuple, lambda held: held),
)


def is_async_only(tool: BaseTool) -> bool:
    """Can it only be awaited?"""
    return getattr(tool, "coroutine", None) is not None and getattr(tool, "func", None) is None
