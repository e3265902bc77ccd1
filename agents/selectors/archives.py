"""A session as one JSON file, piece by piece. `services.archive_format` is its format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
from django.utils import timezone

from agents.checkpoints.archives import Writer
from agents.checkpoints.errors import StateDamaged
from agents.checkpoints.serializer import StrictSerializer
from agents.checkpoints.threads import config_of
from agents.events import rows
from agents.events.rows import Row
from agents.models import AgentSession, AgentState, Detail, EventHead, StateWrite
from agents.services import details
from agents.services.archive_format import FORMAT, VERSION

if TYPE_CHECKING:
    from uuid import UUID

    from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

    from agents.checkpoints.encryption import Vault

_SESSION = (
    "session_id", "agent_type", "level", "name", "goal", "activity", "status", "priority", "created_at", "started_at",
    "finished_at", "metadata",
)  # fmt: skip
_RUN = (
    "run_id", "number", "command", "input", "status", "output", "error", "error_code", "created_at", "finished_at",
)  # fmt: skip
_TOOL = (
    "execution_id", "call_key", "tool_name", "tool_version", "risk", "policy", "intent", "input_data", "input_digest",
    "effective_data", "output_data", "status", "error_message", "execution_time_ms", "cost_estimate", "created_at",
    "started_at", "completed_at",
)  # fmt: skip


def pieces(session: AgentSession, saver: BaseCheckpointSaver[str], vault: Vault) -> Iterator[bytes]:
    """The file of a session: its history of states as `saver` reads them, messages, tool calls and events.

    What these name by reference follows them, opened by `vault`.
    """
    head = {"format": FORMAT, "version": VERSION, "exported_at": timezone.now(), "session": _session(session)}
    yield orjson.dumps(head)[:-1]
    yield from _section("runs", session.runs.order_by("number").values(*_RUN))
    yield from _section("messages", map(_message, session.messages.order_by("created_at").iterator()))
    yield from _section("tools", session.executions.order_by("created_at").values(*_TOOL).iterator())
    yield from _section("events", map(_event, _events(session)))
    damaged: list[UUID] = []
    named = dict.fromkeys(_references([list(session.runs.values_list("input", "output"))]))
    yield from _section("checkpoints", _checkpoints(session, saver, damaged, named))
    yield from _section("details", _details(session, list(named), vault))
    yield b',"damaged":' + orjson.dumps(damaged) + b"}\n"


def _section(name: str, records: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    yield f',\n"{name}":['.encode()
    for number, record in enumerate(records):
        yield (b",\n" if number else b"\n") + orjson.dumps(record, default=str)
    yield b"]"


def _session(session: AgentSession) -> dict[str, Any]:
    return {name: getattr(session, name) for name in _SESSION}


def _message(message: Any) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "parent_id": message.parent_message_id,
        "message_type": message.message_type,
        "role": message.role,
        "content": message.content,
        "metadata": message.metadata,
        "created_at": message.created_at,
    }


def _events(session: AgentSession) -> Iterator[Row]:
    head = EventHead.objects.filter(pk=session.pk).first()
    return rows.of_head(head) if head else iter(())


def _event(row: Row) -> dict[str, Any]:
    versioned = {"schema_version": row.schema} if row.schema > 1 else {}
    return {
        "event_type": row.event_type,
        **versioned,
        "data": row.data,
        "actor": row.metadata.get("origin") or row.metadata.get("actor", ""),
        "timestamp": row.at,
    }


def _checkpoints(
    session: AgentSession, saver: BaseCheckpointSaver[str], damaged: list[UUID], named: dict[str, None]
) -> Iterator[dict[str, Any]]:
    """A record for each checkpoint, oldest first, so that what it shares with earlier ones is written once.

    The references in it are added to `named`.
    """
    writers: dict[str, Writer] = {}
    known: set[str] = set()
    serde = StrictSerializer()
    thread = session.thread_id or str(session.pk)
    for row in AgentState.objects.filter(session=session).order_by("created_at", "checkpoint_id"):
        try:
            found = saver.get_tuple(config_of(thread, row.checkpoint_ns, row.checkpoint_id))
        except StateDamaged:
            found = None
        if found is None or found.checkpoint["id"] != str(row.checkpoint_id):  # an ancestor instead: damaged too
            damaged.append(row.checkpoint_id)
            continue
        named.update(dict.fromkeys(_references([found.checkpoint["channel_values"], found.pending_writes])))
        writer = writers.setdefault(row.checkpoint_ns, Writer(serde, known))
        yield _checkpoint(row, found, writer)


def _references(values: Any) -> Iterator[str]:
    return (found.detail for found in details.references_in(values))


def _details(session: AgentSession, named: list[str], vault: Vault) -> Iterator[dict[str, Any]]:
    """A record for each detail that is named and still there, and for those that such a one names."""
    known = set(named)
    while named:
        reference = named.pop()
        row = Detail.objects.filter(space_id=session.space_id, reference=reference).first()
        if row is None:
            continue
        body = details.fetch(session.space_id, reference, vault=vault)
        named += (fresh := set(_references(body)) - known)
        known |= fresh
        yield {"detail": reference, "kind": row.kind, "summary": row.summary, "size": row.size, "body": body}


def _checkpoint(row: AgentState, found: CheckpointTuple, writer: Writer) -> dict[str, Any]:
    checkpoint = {key: value for key, value in found.checkpoint.items() if key not in ("id", "channel_values")}
    versions = found.checkpoint["channel_versions"]
    values = found.checkpoint["channel_values"]
    channels = {name: writer.channel(name, str(versions.get(name, "")), value) for name, value in values.items()}
    tasks = _tasks(row, found, writer)
    return {
        "ns": row.checkpoint_ns,
        "checkpoint_id": row.checkpoint_id,
        "parent_id": row.parent_id,
        "name": row.checkpoint_name,
        "created_at": row.created_at,
        "is_current": row.is_current,
        "metadata": found.metadata,
        "checkpoint": checkpoint,
        "values": writer.take_fresh(),
        "channels": channels,
        "tasks": tasks,
    }


def _tasks(row: AgentState, found: CheckpointTuple, writer: Writer) -> list[dict[str, Any]]:
    """What each task wrote. LangGraph gives special writes places of their own, so their order among others is free."""
    paths = dict(
        StateWrite.objects.filter(
            session_id=row.session_id, checkpoint_ns=row.checkpoint_ns, checkpoint_id=row.checkpoint_id
        ).values_list("task_id", "task_path")
    )
    grouped = groupby(found.pending_writes or (), key=itemgetter(0))
    return [
        {
            "task_id": task_id,
            "task_path": paths.get(task_id, ""),
            "writes": [[channel, writer.value(value)] for _, channel, value in writes],
        }
        for task_id, writes in grouped
    ]
