"""Sessions for LangGraph threads that nothing of ours runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from agents.actor import SYSTEM
from agents.events import store
from agents.ids import new_id
from agents.models import AgentSession, ValueSpace
from agents.roles import Level
from agents.services import sessions

if TYPE_CHECKING:
    from uuid import UUID

    from agents.checkpoints.threads import EnsureThread
    from agents.models import Project

AGENT_TYPE = "thread"


def for_project(project: Project, owner: Any) -> EnsureThread:
    """What `QueenrightSaver(ensure_thread=...)` takes: each new thread becomes a session of the project and its owner.

    `owner` is of the installation's user model. A thread shares its stored values with no other.
    """

    def ensure(session_id: UUID, thread_id: str | None) -> None:
        with transaction.atomic():
            ValueSpace.objects.get_or_create(pk=session_id)
            session, is_new = AgentSession.objects.get_or_create(
                pk=session_id,
                defaults={
                    "project": project,
                    "user": owner,
                    "agent_type": AGENT_TYPE,
                    "level": Level.QUEEN,
                    "name": thread_id or str(session_id),
                    "root_id": session_id,
                    "thread_id": thread_id,
                    "space_id": session_id,
                    "move_id": new_id(),
                },
            )
            if is_new:
                store.record(sessions.created(session), session, actor=SYSTEM, event_id=session.move_id)

    return ensure
