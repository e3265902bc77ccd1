"""Sessions for graphs that know nothing of them."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import transaction

from agents.checkpoints import QueenrightSaver
from agents.ids import new_id
from agents.models import AgentSession, Project, User, ValueSpace
from agents.roles import Level

EnsureThread = Callable[[UUID, str | None], None]


def make_session(session_id: UUID, space_id: UUID, thread_id: str | None = None) -> AgentSession:
    """The session of a thread, in a space, made once."""
    with transaction.atomic():
        project, _ = Project.objects.get_or_create(slug="threads", defaults={"name": "Threads"})
        user, _ = User.objects.get_or_create(username="ada")
        ValueSpace.objects.get_or_create(space_id=space_id)
        session, _ = AgentSession.objects.get_or_create(
            session_id=session_id,
            defaults={
                "project": project,
                "user": user,
                "agent_type": "thread",
                "level": Level.QUEEN,
                "name": thread_id or str(session_id),
                "root_id": session_id,
                "thread_id": thread_id,
                "space_id": space_id,
            },
        )
    return session


@pytest.fixture
def space_id() -> UUID:
    """The one mission of a test."""
    return new_id()


@pytest.fixture
def ensure_thread(transactional_db: None, space_id: UUID) -> EnsureThread:
    """Gives any thread a session in the test's mission."""

    def ensure(session_id: UUID, thread_id: str | None) -> None:
        make_session(session_id, space_id, thread_id)

    return ensure


@pytest.fixture
def saver(ensure_thread: EnsureThread) -> QueenrightSaver:
    """A saver that takes any thread."""
    return QueenrightSaver(ensure_thread=ensure_thread)
