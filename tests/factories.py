"""Rows that tests start from. Each makes what it needs beneath it."""

import itertools
from typing import Any

from agents.actor import SYSTEM
from agents.lifecycle import SessionStatus
from agents.models import AgentSession, Membership, Project, User
from agents.roles import Level, Role
from agents.services import sessions
from agents.services.sessions import Start

_numbers = itertools.count(1)


def make_user(name: str = "", **fields: Any) -> User:
    """A person; the password is their name."""
    name = name or f"person{next(_numbers)}"
    return User.objects.create_user(username=name, password=name, **fields)


def make_project(owner: User | None = None, role: Role = Role.ADMIN) -> Project:
    """A project, with its owner as a member."""
    number = next(_numbers)
    project = Project.objects.create(name=f"Project {number}", slug=f"project-{number}")
    if owner:
        Membership.objects.create(project=project, user=owner, role=role)
    return project


def make_member(project: Project, role: Role = Role.ADMIN, name: str = "") -> User:
    """A person with a role in a project."""
    user = make_user(name)
    Membership.objects.create(project=project, user=user, role=role)
    return user


def make_mission(
    project: Project | None = None,
    user: User | None = None,
    *,
    agent_type: str = "test.queen",
    level: Level = Level.QUEEN,
    goal: str = "Find out",
    run_input: dict[str, Any] | None = None,
    **fields: Any,
) -> AgentSession:
    """A queued root session."""
    user = user or make_user()
    project = project or make_project(user)
    start = Start(agent_type=agent_type, level=level, name="Mission", goal=goal, input=run_input or {})
    return sessions.start_mission(project, start, user=user, actor=SYSTEM, **fields)


def running(session: AgentSession, attempt: int = 1) -> AgentSession:
    """The session as a worker's claim leaves it."""
    AgentSession.objects.filter(pk=session.pk).update(status=SessionStatus.RUNNING, attempt=attempt)
    session.refresh_from_db()
    return session
