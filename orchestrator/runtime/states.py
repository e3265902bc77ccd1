"""Changing a state of an agent by hand: copied, or edited through its graph's own schema and reducers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints
from uuid import UUID

from django.db import Error as DatabaseError
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, copy_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.constants import START
from langgraph.errors import InvalidUpdateError
from langgraph.runtime import Runtime
from langgraph.types import Overwrite
from pydantic import PydanticUserError, TypeAdapter, ValidationError

from agents.checkpoints.threads import config_of
from agents.errors import Fenced, InvalidInput, NotFound, StaleVersion
from agents.models import AgentRun, AgentSession, AgentState
from agents.services.leases import Holding
from orchestrator.runtime.agent_types import graph_for
from orchestrator.runtime.context import context_for
from orchestrator.runtime.leases import Lease
from orchestrator.runtime.saving import LEASE, saver

RUNTIME = "__pregel_runtime"  # LangGraph's key for what nodes and edges are given


@dataclass(frozen=True, slots=True)
class Change:
    """New values for some channels. They go through the channels' reducers, except those in `replace`.

    `as_node` is the node that is taken to have written them, so that its edges say what comes next; without it
    the one that wrote last.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    replace: tuple[str, ...] = ()
    as_node: str | None = None

    def as_text(self) -> str:
        """For a rewind's row: JSON, in ASCII, so that no character of a value can be one too many for a database."""
        return json.dumps({"values": self.values, "replace": self.replace, "as_node": self.as_node})

    @classmethod
    def of_text(cls, text: str) -> "Change":
        """From a rewind's row."""
        if not text:
            return cls()
        data = json.loads(text)
        return cls(data["values"], tuple(data["replace"]), data["as_node"])

    def __bool__(self) -> bool:
        """Is there anything to change?"""
        return bool(self.values) or self.as_node is not None


@dataclass(frozen=True, slots=True)
class Channel:
    """One value of a state: its JSON schema, empty where its type has none, and whether it has a reducer."""

    schema: dict[str, Any]
    reduces: bool


class AtRest:
    """Allows writes of the states of a session that nobody runs."""

    def attempt(self) -> None:
        """No attempt may run the session."""

    def refusal(self) -> Fenced:
        """A worker runs it."""
        return Fenced()

    def obey(self, control: str) -> None:
        """Nothing is under way that could be stopped."""


def copy(origin: AgentSession, checkpoint_id: UUID, into: AgentSession, run: AgentRun | None, rewind_id: UUID) -> UUID:
    """Make a state of `origin` the current one of `into`: a new checkpoint beside the old; its id.

    In the caller's transaction, which holds `into`. Questions and half-done steps stay behind, so its tasks begin
    anew. It belongs to `run`, which goes on from it. Raises NotFound, StaleVersion.
    """
    found = saver().get_tuple(config_of(_thread(origin), "", checkpoint_id))
    if found is None:
        raise NotFound("There is no such state.")
    is_same = origin.pk == into.pk
    made: Checkpoint = {**copy_checkpoint(found.checkpoint), "id": str(uuid6())}
    metadata: CheckpointMetadata = {**found.metadata, "source": "fork", "step": found.metadata.get("step", -1) + 1}
    for name in ("run_id", "rewind_id", "copied_from"):
        metadata.pop(name, None)  # type: ignore[misc]  # what the original's config had added
    config = _config(into, run, rewind_id=str(rewind_id), copied_from=str(checkpoint_id))
    if is_same and found.parent_config:
        config["configurable"]["checkpoint_id"] = found.parent_config["configurable"]["checkpoint_id"]
    versions = {} if is_same else dict(made["channel_versions"])
    put = saver().put(config, made, metadata, versions)
    return _current(into, UUID(put["configurable"]["checkpoint_id"]))


def edit(session: AgentSession, change: Change, run: AgentRun | None, rewind_id: UUID) -> UUID:
    """Write values on top of a session's current state; the new checkpoint's id.

    In the caller's transaction, which holds the session. Raises InvalidInput with a message for each bad field,
    StaleVersion.
    """
    values = check(session, None, change)
    config = _config(session, run, rewind_id=str(rewind_id))
    if run is not None:  # edges may look at what nodes look at; whatever they write is refused
        context = context_for(session, run, Lease(Holding(session.pk, session.attempt), lost=True))
        config["configurable"][RUNTIME] = Runtime(context=context)
    try:
        put = graph_for(session.agent_type).update_state(config, values, as_node=change.as_node)
    except (DatabaseError, Fenced):
        raise
    except InvalidUpdateError as error:
        raise InvalidInput(fields={"as_node": _first_line(error)}) from error
    except Exception as error:
        raise InvalidInput(f"The agent's graph does not take this: {type(error).__name__}: {error}") from error
    return _current(session, UUID(put["configurable"]["checkpoint_id"]))


def has_tasks(session: AgentSession, checkpoint_id: UUID | None = None) -> bool:
    """Is anything left to do in a state of a session, the current one without an id?"""
    config = _config(session, None)
    if checkpoint_id is not None:
        config["configurable"]["checkpoint_id"] = str(checkpoint_id)
    return bool(graph_for(session.agent_type).get_state(config).tasks)


def nodes(agent_type: str) -> list[str]:
    """The nodes that a change may be made as."""
    return [name for name in graph_for(agent_type).nodes if name != START]


def channels(agent_type: str) -> dict[str, Channel]:
    """The values that a state of this type of agent may have, in the order of its schema."""
    graph = graph_for(agent_type)
    hints = get_type_hints(graph.builder.state_schema)
    return {name: Channel(_schema(hint), _reduces(graph, name)) for name, hint in hints.items()}


def _schema(hint: Any) -> dict[str, Any]:
    try:
        return TypeAdapter(hint).json_schema()
    except PydanticUserError:
        return {}


def check(session: AgentSession, checkpoint_id: UUID | None, change: Change) -> dict[str, Any]:
    """The values as the graph takes them on a state, the current one without an id.

    Each is held against the schema of its channel and run through its reducer. Raises InvalidInput with a message
    for each bad field.
    """
    graph = graph_for(session.agent_type)
    if checkpoint_id is None:
        found = saver().get_tuple({"configurable": {"thread_id": _thread(session)}})
    else:
        found = saver().get_tuple(config_of(_thread(session), "", checkpoint_id))
    current = found.checkpoint["channel_values"] if found else {}
    hints = get_type_hints(graph.builder.state_schema)
    faults: dict[str, str] = {}
    checked: dict[str, Any] = {}
    for name, value in change.values.items():
        try:
            parsed = _parsed(hints, name, value)
            given = Overwrite(parsed) if name in change.replace and _reduces(graph, name) else parsed
            _reduce(graph, name, current, given)
            checked[name] = given
        except InvalidInput as error:
            faults[name] = str(error)
    if change.as_node is not None and change.as_node not in nodes(session.agent_type):
        faults["as_node"] = "This agent has no such step."
    if not change:
        faults[""] = "Change something."
    if faults:
        raise InvalidInput("The state cannot be changed like this.", fields=faults)
    return checked


def _parsed(hints: Mapping[str, Any], name: str, value: Any) -> Any:
    if name not in hints:
        raise InvalidInput("This agent has no such value.")
    try:
        parsed = TypeAdapter(hints[name]).validate_python(value)
    except PydanticUserError:  # no schema can be made of this type: its reducer must do
        return value
    except ValidationError as error:
        raise InvalidInput(" ".join(_sentence(part) for part in error.errors())) from None
    if isinstance(value, dict) and isinstance(parsed, dict) and (unknown := sorted(set(value) - set(parsed))):
        raise InvalidInput(f"Unknown here: {', '.join(unknown)}.")
    return parsed


def _sentence(part: Any) -> str:
    place = ".".join(str(step) for step in part["loc"])
    return f"{place}: {part['msg']}." if place else f"{part['msg']}."


def _reduces(graph: Any, name: str) -> bool:
    return hasattr(graph.channels[name], "operator")


def _reduce(graph: Any, name: str, current: Mapping[str, Any], value: Any) -> None:
    """Run a channel's own reducer on a copy. Raises InvalidInput with what it says."""
    spec = graph.channels[name]
    channel = spec.from_checkpoint(current[name]) if name in current else spec.copy()
    try:
        channel.update([value])
    except Exception as error:
        raise InvalidInput(f"It does not go together with what is there: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _current(session: AgentSession, checkpoint_id: UUID) -> UUID:
    """The id, if that state is the current one. Ids go by the clock, and another machine's may be ahead."""
    if not AgentState.objects.filter(session=session, checkpoint_id=checkpoint_id, is_current=True).exists():
        raise StaleVersion("The clock here is behind the one that saved the last state: try again in a moment.")
    return checkpoint_id


def _thread(session: AgentSession) -> str:
    return session.thread_id or str(session.pk)


def _config(session: AgentSession, run: AgentRun | None, **metadata: str) -> RunnableConfig:
    return {
        "configurable": {"thread_id": _thread(session), "checkpoint_ns": "", LEASE: AtRest()},
        "metadata": {**({"run_id": str(run.pk)} if run else {}), **metadata},
    }
