"""Missions that are started and waited for."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from agents.actor import SYSTEM
from agents.lifecycle import FINAL, SessionStatus
from agents.models import AgentRun, AgentSession, Project, User
from agents.roles import Level
from agents.services import sessions
from agents.services.sessions import Start

PATIENCE = 600  # seconds


def start(project: Project, user: User, agent_type: str, level: Level, **given: Any) -> UUID:
    """A mission whose root has this type and input."""
    begun = Start(agent_type, level, f"{agent_type} {uuid4()}", "", given)
    return sessions.start_mission(project, begun, user=user, actor=SYSTEM).pk


def wait_for(roots: Sequence[UUID]) -> None:
    """Until all have ended. Raises RuntimeError if one did not succeed, or did not end in time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        statuses = list(AgentSession.objects.filter(pk__in=roots, status__in=FINAL).values_list("status", flat=True))
        if len(statuses) == len(roots):
            if set(statuses) != {SessionStatus.SUCCEEDED}:
                raise RuntimeError(f"not all succeeded: {sorted(set(statuses))}")
            return
        time.sleep(0.01)
    raise RuntimeError(f"{len(roots)} missions did not end within {PATIENCE} s")


def wait_until(root: UUID, status: SessionStatus) -> None:
    """Until a mission's root has that status. Raises RuntimeError if it has not in time."""
    end = time.monotonic() + PATIENCE
    while not AgentSession.objects.filter(pk=root, status=status).exists():
        if time.monotonic() > end:
            raise RuntimeError(f"it was not {status} within {PATIENCE} s")
        time.sleep(0.005)


def outputs(roots: Sequence[UUID]) -> list[Any]:
    """What their runs gave."""
    return list(AgentRun.objects.filter(session_id__in=roots).values_list("output", flat=True))
