"""Pausing, resuming, stopping and retrying agents, alone or with all below them."""

from collections.abc import Callable
from uuid import UUID

from agents import access
from agents.actor import Actor, person
from agents.events import causes
from agents.lifecycle import ACTIVE
from agents.models import AgentSession, User
from agents.roles import Role
from agents.services import audit, control


@causes.act()
def cancel(user: User, session_id: UUID, *, reason: str = "") -> int:
    """Stop an agent and all below it; how many were concerned."""
    told = reason.strip() or f"Stopped by {user.get_username()}."
    return _each(user, session_id, "session.cancel", lambda one, actor: control.cancel(one, actor=actor, reason=told))


@causes.act()
def pause(user: User, session_id: UUID, *, reason: str = "") -> int:
    """Let an agent and all below it rest; how many were concerned."""
    told = reason.strip() or f"Paused by {user.get_username()}."
    return _each(user, session_id, "session.pause", lambda one, actor: control.pause(one, actor=actor, reason=told))


@causes.act()
def resume(user: User, session_id: UUID) -> int:
    """Let an agent and all below it go on; how many were concerned."""
    return _each(user, session_id, "session.resume", lambda one, actor: control.resume(one, actor=actor))


@causes.act()
def retry(user: User, session_id: UUID) -> AgentSession:
    """Try an agent again that failed or was stopped. Raises InvalidTransition."""
    session = access.session_for(user, session_id, role=Role.OPERATOR)
    retried = control.retry(session.pk, actor=person(user.pk))
    _audit(user, session, "session.retry", 1)
    return retried


def _each(user: User, session_id: UUID, action: str, act: Callable[[UUID, Actor], bool]) -> int:
    """One transaction an agent, from the leaves up: parents would else be told of children that are being stopped."""
    session = access.session_for(user, session_id, role=Role.OPERATOR)
    found = (
        AgentSession.objects.subtree(session.pk)
        .filter(status__in=ACTIVE)
        .order_by("-depth", "position")
        .values_list("pk", flat=True)
    )
    done = sum(act(one, person(user.pk)) for one in found)
    _audit(user, session, action, done)
    return done


def _audit(user: User, session: AgentSession, action: str, count: int) -> None:
    audit.record(
        user.pk,
        action,
        project_id=session.project_id,
        target=("session", session.pk),
        detail={"agents": count},
    )
