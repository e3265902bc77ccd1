"""The guard as LangChain middleware: each tool call of a LangChain agent is asked for, booked and run once.

    agent = create_agent(model, tools, middleware=[..., Guarded()])

It is the last in the list, so that it sees the arguments as others edited them. What a call came to goes through the
ledger's row the first time, too: a replay gives the agent the very same message.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import orjson
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command
from pydantic import BaseModel

from agents.errors import InvalidInput, NotFound
from agents.events.digests import text_digest
from agents.storable import is_same, is_storable, jsonb_value, storable_text
from orchestrator.runtime.guard import Guard
from orchestrator.runtime.passing import wrapped
from orchestrator.runtime.saving import GUARD, saver
from orchestrator.tools.langchain import ImportedTool, WithKey
from orchestrator.tools.registry import tool_named
from orchestrator.tools.tool import Caller, Tool

LONGEST_INTENT = 500  # characters
LONGEST_KEY = 200
Handler = Callable[[ToolCallRequest], Any]


class Guarded(AgentMiddleware[Any, Any]):
    """Lets no tool call of an agent pass by the guard of the session that it runs in."""

    def wrap_tool_call(self, request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
        """The result of the call, made once."""
        return guarded(request, handler)


def guarded(request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
    """The result of a tool call, made once; also as `wrap_tool_call` of a ToolNode.

    A person who refuses it, or edited its arguments, is told of in the message. Raises NotFound for a tool that is not
    registered, and what the guard raises.
    """
    if request.tool is None:  # LangChain tells the model that there is no such tool
        return cast(ToolMessage, handler(request))
    call = request.tool_call
    known = tool_named(request.tool.name)  # what is run, whatever the call says that it is
    asking = _asking(request)
    try:
        with wrapped():
            output = _guard(request).run(
                replace(known, run=partial(_run, known, request, handler)),
                call["args"],
                key=_key(asking, call),
                intent=storable_text(asking.text[:LONGEST_INTENT]) if asking else "",
            )
    except InvalidInput as error:
        faults = "; ".join(
            f"{name}: {fault}" if name else fault for name, fault in error.data.get("fields", {}).items()
        )
        return _message(call, content=f"{error} {faults}", status="error")
    if "refused" in output:
        return _message(call, content=f"This call was refused: {output['refused']}", status="error")
    return _told(call, output)


def _guard(request: ToolCallRequest) -> Guard:
    """The guard of the run, whatever the graph's nodes are given. Raises NotFound outside of a run."""
    found: Guard | None = request.runtime.config.get("configurable", {}).get(GUARD)
    if found is None:
        raise NotFound("This tool is guarded: it is called by agents that Queenright runs, and by nobody else.")
    return found


def _run(
    known: Tool[Any],
    request: ToolCallRequest,
    handler: Handler,
    caller: Caller,
    arguments: BaseModel,
) -> dict[str, Any]:
    """Call what LangChain calls, with these arguments."""
    proposed = known.parse(request.tool_call["args"]).model_dump(mode="json")
    effective = arguments.model_dump(mode="json")
    request = request.override(tool_call=cast(ToolCall, {**request.tool_call, "args": effective}))
    if request.tool and isinstance(known, ImportedTool) and (key := known.key(caller)):
        own = WithKey(name=known.name, description=request.tool.description, tool=request.tool, given=key)
        request = request.override(tool=own)
    made = handler(request)
    return _kept(made) | ({} if is_same(effective, proposed) else {"edited": effective})


def _key(asking: AIMessage | None, call: ToolCall) -> str:
    """The call's key: some models repeat the ids of calls, and all may give any text for one."""
    key = f"{asking.id if asking else ''}:{call['id']}"
    return key if len(key) <= LONGEST_KEY and is_storable(key) else text_digest(key)


def _asking(request: ToolCallRequest) -> AIMessage | None:
    """The model's message that has this call."""
    state = request.state
    if isinstance(state, Mapping):
        state = state.get("messages", ())
    messages = getattr(state, "messages", state)
    for message in reversed(messages):
        if isinstance(message, AIMessage) and request.tool_call["id"] in {call["id"] for call in message.tool_calls}:
            return message
    return None


def _kept(made: ToolMessage | Command[Any]) -> dict[str, Any]:
    """What a call came to as JSON; what JSON cannot hold, as states hold it, beside words for people."""
    if isinstance(made, ToolMessage):
        plain: dict[str, Any] = jsonb_value(
            made.model_dump(exclude_defaults=True, exclude={"tool_call_id"}, fallback=str)
        )
        if ToolMessage(**plain, tool_call_id=made.tool_call_id) == made:
            return plain
    kind, data = saver().serde.dumps_typed(made)
    return {"content": str(getattr(made, "content", made)), "kept": [kind, b64encode(data).decode()]}


def _told(call: ToolCall, output: dict[str, Any]) -> ToolMessage | Command[Any]:
    """What `_kept` kept, as the answer to this call."""
    if output.get("taken_as_done"):
        return _message(call, content="A person says that this call has happened. What it came to is not known.")
    if "kept" in output:
        kind, data = output["kept"]
        made = saver().serde.loads_typed((kind, b64decode(data)))
    else:
        made = _message(call, **{name: part for name, part in output.items() if name != "edited"})
    if "edited" in output and isinstance(made, ToolMessage):
        told = f"It was called with other arguments, as a person decided: {orjson.dumps(output['edited']).decode()}"
        made = made.model_copy(update={"content": _with(made.content, told)})
    return cast("ToolMessage | Command[Any]", made)


def _with(content: str | list[Any], told: str) -> str | list[Any]:
    return f"{content}\n\n{told}" if isinstance(content, str) else [*content, {"type": "text", "text": told}]


def _message(call: ToolCall, **parts: Any) -> ToolMessage:
    return ToolMessage(**{"name": call["name"], **parts, "tool_call_id": call["id"]})
