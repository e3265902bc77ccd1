"""Whom the benchmark of savers compares, and what it makes them store."""

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from agents.checkpoints import QueenrightSaver
from agents.models import AgentSession, Project, User, ValueSpace
from agents.roles import Level

THREADS = 8
SYLLABLES = [first + vowel + last for first in "bdfgklmnprst" for vowel in "aeiou" for last in ("", "n", "r", "s")]
WORDS = [one + other for one in SYLLABLES[::5] for other in SYLLABLES[::6]]
OURS, THEIRS, SQLITE = "Queenright", "PostgresSaver", "SqliteSaver"
Saver = BaseCheckpointSaver[Any]
Savers = dict[str, Saver]
POOL = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}


class Thread:
    """A thread that grows by one checkpoint at a time, in one saver."""

    def __init__(self, saver: Saver) -> None:
        """A fresh one."""
        self.saver = saver
        self.start = self.config = config_of(str(uuid4()))
        self.versions: ChannelVersions = {}
        self.step = 0

    def put(self, values: dict[str, Any], changed: list[str]) -> None:
        """A checkpoint in which these channels are new."""
        self.next(values, changed)()

    def next(self, values: dict[str, Any], changed: list[str]) -> Callable[[], None]:
        """Puts a checkpoint in which these channels are new."""
        fresh: ChannelVersions = {
            channel: self.saver.get_next_version(self.versions.get(channel), None) for channel in changed
        }
        self.versions = {**self.versions, **fresh}
        checkpoint: Checkpoint = {
            "v": 4,
            "id": str(uuid6()),
            "ts": "2026-01-01T00:00:00+00:00",
            "channel_values": values,
            "channel_versions": dict(self.versions),
            "versions_seen": {"node": dict(self.versions)},
            "updated_channels": changed,
        }
        metadata: CheckpointMetadata = {"source": "loop" if self.step % 2 else "update", "step": self.step}
        self.step += 1

        def put() -> None:
            self.config = self.saver.put(self.config, checkpoint, metadata, fresh)

        return put


def config_of(thread: str) -> RunnableConfig:
    """The config of a thread."""
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}


def message(number: int) -> HumanMessage | AIMessage:
    """One of a conversation, about 400 bytes of words that are never the same."""
    chance = random.Random(number)
    text = " ".join(chance.choice(WORDS) for _ in range(60))
    return (AIMessage if number % 2 else HumanMessage)(text, id=str(UUID(int=chance.getrandbits(128))))


def noise(number: int) -> HumanMessage:
    """A message of 400 bytes that PostgreSQL cannot make shorter."""
    chance = random.Random(number)
    return HumanMessage(chance.randbytes(200).hex(), id=str(UUID(int=chance.getrandbits(128))))


Ensure = Callable[[UUID, str | None], None]


def missions(project: Project, user: User) -> Ensure:
    """Makes the mission of a thread."""

    def ensure(session_id: UUID, thread_id: str | None) -> None:
        space, _ = ValueSpace.objects.get_or_create(pk=session_id)
        AgentSession.objects.get_or_create(
            pk=session_id,
            defaults={
                "project": project,
                "user": user,
                "agent_type": "bench",
                "level": Level.WORKER,
                "name": "bench",
                "root_id": session_id,
                "space": space,
                "thread_id": thread_id,
            },
        )

    return ensure


def ours(project: Project, user: User) -> QueenrightSaver:
    """A saver with nothing in its caches, and a mission for each thread."""
    return QueenrightSaver(ensure_thread=missions(project, user))


def dsn() -> str:
    """The address of Django's database."""
    connection.ensure_connection()
    info = connection.connection.info
    connection.close()  # so that both savers take one from a pool for each call, as they do in a graph
    return f"host={info.host} port={info.port} dbname={info.dbname} user={info.user}"


@contextmanager
def savers(project: Project, user: User) -> Iterator[Savers]:
    """One of each, ready."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ConnectionPool[Any](dsn(), min_size=1, max_size=THREADS, kwargs=POOL) as pool,
        SqliteSaver.from_conn_string(str(Path(folder) / "states.db")) as sqlite,
    ):
        theirs = PostgresSaver(pool)
        theirs.setup()
        yield {OURS: ours(project, user), THEIRS: theirs, SQLITE: sqlite}
