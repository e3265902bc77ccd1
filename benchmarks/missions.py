"""Missions that are started and waited for."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from agents.actor import SYSTEM
from agents.ids import new_id
from agents.lifecycle import FINAL, SessionStatus
from agents.models import AgentRun, AgentSession, Project, User, ValueSpace
from agents.roles import Level
from agents.services import sessions
from agents.services.sessions import Start

PATIENCE = 600  # seconds
LOOK_SECONDS = 0.05  # each look takes some milliseconds from what is measured


def start(project: Project, user: User, agent_type: str, level: Level, **given: Any) -> UUID:
    """A mission whose root has this type and input."""
    begun = Start(agent_type, level, f"{agent_type} {uuid4()}", "", given)
    return sessions.start_mission(project, begun, user=user, actor=SYSTEM).pk


def at_rest(project: Project, user: User, status: SessionStatus, **given: Any) -> AgentSession:
    """An agent that no worker takes, as a row that is still to be kept; a mission's own unless its place is given.

    It has been so for an hour.
    """
    pk = new_id()
    place = {"level": Level.SPECIALIST, "root_id": pk, "space_id": pk, "agent_type": "bench.asks"} | given
    return AgentSession(
        pk=pk,
        project=project,
        user=user,
        name="at rest",
        status=status,
        moved_at=timezone.now() - timedelta(hours=1),
        **place,
    )


def keep(roots: Sequence[AgentSession]) -> None:
    """Store the rows of missions' own agents, each with its space for values."""
    ValueSpace.objects.bulk_create([ValueSpace(pk=root.pk) for root in roots])
    AgentSession.objects.bulk_create(roots)


def idle_session(project: Project, user: User) -> UUID:
    """A session of its own that no worker takes."""
    session = at_rest(project, user, SessionStatus.WAITING_EVENT)
    keep([session])
    return session.pk


def wait_for(roots: Sequence[UUID]) -> None:
    """Until all have ended. Raises RuntimeError if one did not succeed, or did not end in time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        statuses = list(AgentSession.objects.filter(pk__in=roots, status__in=FINAL).values_list("status", flat=True))
        if len(statuses) == len(roots):
            if set(statuses) != {SessionStatus.SUCCEEDED}:
                raise RuntimeError(f"not all succeeded: {sorted(set(statuses))}")
            return
        time.sleep(LOOK_SECONDS)
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
