"""Reading the file of a session that ran elsewhere: it becomes a new one that has ended."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from django.db import DataError, IntegrityError, transaction
from pydantic import ValidationError

from agents.actor import Actor
from agents.checkpoints.archives import ArchiveDamaged, Reader
from agents.checkpoints.encryption import Vault
from agents.checkpoints.saver import QueenrightSaver
from agents.checkpoints.serializer import StrictSerializer
from agents.checkpoints.threads import config_of
from agents.errors import UnknownEvent
from agents.events import store, types
from agents.events.digests import digest
from agents.events.folds import fold
from agents.events.reading import Stored
from agents.events.types import Event, SessionImported
from agents.events.upcasting import typed
from agents.graphs.findings import Reference
from agents.ids import derived_id, new_id
from agents.lifecycle import FINAL, RunStatus, SessionStatus
from agents.models import (
    AgentMessage,
    AgentRun,
    AgentSession,
    AgentState,
    Project,
    ToolExecution,
    User,
    ValueSpace,
)
from agents.services import details
from agents.services.archive_format import FORMAT, VERSION, ArchiveRecord, CheckpointRecord, EventRecord

_FRESH = {"session_id", "run_id", "message_id", "parent_id", "execution_id"}  # ids of ours in their place


def read(data: bytes) -> ArchiveRecord:
    """The contents of a file. Raises InvalidInput that says what is wrong with the field `file`."""
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ArchiveDamaged(f"It is no JSON, or only a part of it: {error}.") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ArchiveDamaged("It is no export of a session.")
    if told.get("version") != VERSION:
        raise ArchiveDamaged(
            f"It has version {str(told.get('version'))[:20]} of the format; this instance reads {VERSION}."
        )
    try:
        return ArchiveRecord.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise ArchiveDamaged(f"It does not fit the format at {place}: {first['msg']}.") from None


def restore(
    archive: ArchiveRecord, project: Project, saver: QueenrightSaver, vault: Vault, *, user: User, actor: Actor
) -> AgentSession:
    """A new session with all that a file holds, its states stored by `saver`, what they name by reference in `vault`.
    Nothing that exists is changed.

    Raises InvalidInput for a file that contradicts itself; then nothing is kept.
    """
    events = _events(archive)
    try:
        with transaction.atomic():
            session = _session(archive, project, user)
            _rows(archive, session)
            _checkpoints(archive, session, saver)
            _details(archive, session, vault)
            _history(archive, session, events, actor)
            return session
    except (DataError, IntegrityError) as error:
        raise ArchiveDamaged("There is something in it that cannot be stored.") from error


def _session(archive: ArchiveRecord, project: Project, user: User) -> AgentSession:
    told = archive.session
    session_id = new_id()
    status = told.status if told.status in FINAL else SessionStatus.CANCELLED
    session = AgentSession(
        **told.model_dump(exclude=_FRESH | {"status", "metadata", "finished_at"}),
        pk=session_id,
        project=project,
        user=user,
        status=status,
        finished_at=told.finished_at or archive.exported_at,
        root_id=session_id,
        space=ValueSpace.objects.create(pk=session_id),
        metadata=told.metadata | {"imported_from": str(told.session_id)},
    )
    AgentSession.objects.bulk_create([session])
    return session


def _rows(archive: ArchiveRecord, session: AgentSession) -> None:
    runs = [
        AgentRun(
            **told.model_dump(exclude=_FRESH | {"status"}),
            pk=derived_id(session.pk, "run", told.number),
            project_id=session.project_id,
            session=session,
            status=RunStatus.CANCELLED if told.status is RunStatus.ACTIVE else told.status,
        )
        for told in archive.runs
    ]
    messages = {
        told.message_id: AgentMessage(
            **told.model_dump(exclude=_FRESH),
            pk=derived_id(session.pk, "message", told.message_id),
            project_id=session.project_id,
            session=session,
        )
        for told in archive.messages
    }
    for told in archive.messages:
        if told.parent_id in messages:
            messages[told.message_id].parent_message_id = messages[told.parent_id].pk
    tools = [
        ToolExecution(
            **told.model_dump(exclude=_FRESH),
            pk=derived_id(session.pk, "call", told.call_key),
            project_id=session.project_id,
            session=session,
        )
        for told in archive.tools
    ]
    for rows, key in ((runs, "number"), (tools, "call_key")):
        if len({getattr(row, key) for row in rows}) < len(rows):
            raise ArchiveDamaged(f"Two of its records have the same {key}.")
    AgentRun.objects.bulk_create(runs)
    AgentMessage.objects.bulk_create(list(messages.values()))
    ToolExecution.objects.bulk_create(tools)
    if runs:
        session.current_run = max(runs, key=lambda run: run.number)
        session.save(update_fields=["current_run"])


def _checkpoints(archive: ArchiveRecord, session: AgentSession, saver: QueenrightSaver) -> None:
    """The states, through the saver, and what only their rows hold."""
    reader = Reader(StrictSerializer())
    seen: set[tuple[str, str, str]] = set()
    placed: set[tuple[str, UUID]] = set()
    names: set[str] = set()
    for told in archive.checkpoints:
        if (told.ns, told.checkpoint_id) in placed or (told.name and told.name in names):
            raise ArchiveDamaged("Two of its checkpoints have the same id or name.")
        placed.add((told.ns, told.checkpoint_id))
        names.add(told.name)
        reader.learn(told.values)
        _put(saver, reader, str(session.pk), told, seen)
    states = AgentState.objects.filter(session=session)
    by_id = {(state.checkpoint_ns, state.checkpoint_id): state for state in states}
    for told in archive.checkpoints:
        state = by_id[told.ns, told.checkpoint_id]
        state.created_at, state.checkpoint_name = told.created_at, told.name
    AgentState.objects.bulk_update(by_id.values(), ["created_at", "checkpoint_name"], batch_size=500)
    states.update(is_current=False)
    for told in archive.checkpoints:
        if told.is_current:
            states.filter(checkpoint_ns=told.ns, checkpoint_id=told.checkpoint_id).update(is_current=True)


def _put(
    saver: QueenrightSaver, reader: Reader, thread: str, told: CheckpointRecord, seen: set[tuple[str, str, str]]
) -> None:
    versions = _versions(told)
    values = {
        name: reader.channel(told.ns, name, versions.get(name, ""), reference)
        for name, reference in told.channels.items()
    }
    fresh = {name: version for name, version in versions.items() if (told.ns, name, version) not in seen}
    seen.update((told.ns, name, version) for name, version in fresh.items())
    config = config_of(thread, told.ns, told.parent_id or told.checkpoint_id)
    if told.parent_id is None:
        del config["configurable"]["checkpoint_id"]
    checkpoint: Any = {**told.checkpoint, "id": str(told.checkpoint_id), "channel_values": values}
    metadata: Any = told.metadata
    try:
        saver.put(config, checkpoint, metadata, {**fresh})
        this = config_of(thread, told.ns, told.checkpoint_id)
        for task in told.tasks:
            writes = [(channel, reader.value(reference)) for channel, reference in task.writes]
            saver.put_writes(this, writes, task.task_id, task.task_path)
    except (TypeError, KeyError, ValueError) as error:
        raise ArchiveDamaged(f"The checkpoint {told.checkpoint_id} cannot be stored.") from error


def _versions(told: CheckpointRecord) -> dict[str, str]:
    versions = told.checkpoint.get("channel_versions")
    if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
        raise ArchiveDamaged(f"The checkpoint {told.checkpoint_id} does not say which versions it holds.")
    if not set(told.channels) <= set(versions):
        raise ArchiveDamaged(f"The checkpoint {told.checkpoint_id} has a channel without a version.")
    return {name: str(version) for name, version in versions.items()}


def _details(archive: ArchiveRecord, session: AgentSession, vault: Vault) -> None:
    for told in archive.details:
        reference = Reference(**told.model_dump(exclude={"body"}))
        details.adopt(session, reference, told.body, vault=vault)


def _event(told: EventRecord) -> Event:
    try:
        event = typed(told.event_type, told.schema_version, told.data)
        if isinstance(event, types.SessionCreated | types.SessionMoved):
            SessionStatus(event.status)
    except (UnknownEvent, ValueError):
        event = None
    if event is None or event.aggregate_type != "session":
        raise ArchiveDamaged(f"The event {told.event_type} does not fit this version.")
    return event


def _events(archive: ArchiveRecord) -> list[Event]:
    """The events of a file, each of its type, in an order in which they can have happened."""
    session_id = archive.session.session_id
    found = [
        Stored(new_id(), session_id, number, told.timestamp, told.actor, session_id, None, _event(told))
        for number, told in enumerate(archive.events, 1)
    ]
    try:
        fold(found)
    except UnknownEvent as error:
        raise ArchiveDamaged(f"Its events contradict each other: {error}") from None
    return [one.event for one in found]


def _history(archive: ArchiveRecord, session: AgentSession, events: list[Event], actor: Actor) -> None:
    """The session's chain: what happened elsewhere, then that it was imported."""
    store.adopt(_entries(archive, session, events, actor))
    store.record(
        SessionImported(
            status=session.status,
            level=session.level,
            agent_type=session.agent_type,
            origin_id=archive.session.session_id,
            checkpoints=len(archive.checkpoints),
            events=len(events),
            digest=digest(archive.session.model_dump(mode="json")),
        ),
        session,
        actor=actor,
    )


def _entries(archive: ArchiveRecord, session: AgentSession, events: list[Event], actor: Actor) -> Iterator[store.Entry]:
    for event, told in zip(events, archive.events, strict=True):
        yield store.Entry(
            event, session.pk, session.project_id, session.root_id, actor, at=told.timestamp, origin=told.actor
        )
