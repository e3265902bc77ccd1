"""Rewinds as a person makes them who has looked a moment ago."""

from agents.ids import new_id
from agents.lifecycle import Choice
from agents.models import AgentSession, AgentState, Rewind, User
from orchestrator.actions import time_travel
from orchestrator.runtime import agent_types
from orchestrator.runtime.effects import effects_since
from orchestrator.runtime.states import Change


def owner(session: AgentSession) -> User:
    return User.objects.get(pk=session.user_id)


def states(session) -> list[AgentState]:
    return list(AgentState.objects.filter(session=session, checkpoint_ns="").order_by("checkpoint_id"))


def head(session):
    return AgentState.objects.get(session=session, checkpoint_ns="", is_current=True).checkpoint_id


def start_of(session):
    """The state before its first step, its input already in."""
    return states(session)[1].checkpoint_id


def choosing(session, checkpoint_id, choice=Choice.KEEP) -> dict:
    return {effect.call.pk: choice for effect in effects_since(session.pk, checkpoint_id)}


def replay(session, checkpoint_id, choice=Choice.KEEP, *, user=None, rewind_id=None, **more) -> Rewind:
    more.setdefault("chosen", choosing(session, checkpoint_id, choice))
    more.setdefault("seen_id", head(session))
    return time_travel.replay(
        user or owner(session), session.pk, checkpoint_id, rewind_id=rewind_id or new_id(), **more
    )


def roll_back(session, checkpoint_id, choice=Choice.KEEP, *, user=None, rewind_id=None, **more) -> Rewind:
    more.setdefault("chosen", choosing(session, checkpoint_id, choice))
    more.setdefault("seen_id", head(session))
    return time_travel.roll_back(
        user or owner(session), session.pk, checkpoint_id, rewind_id=rewind_id or new_id(), **more
    )


def fork(session, checkpoint_id, choice=Choice.KEEP, *, user=None, rewind_id=None, **more) -> AgentSession:
    more.setdefault("chosen", choosing(session, checkpoint_id, choice))
    return time_travel.fork(user or owner(session), session.pk, checkpoint_id, rewind_id=rewind_id or new_id(), **more)


def edit(session, change: Change, *, user=None, rewind_id=None, seen_id=None) -> Rewind:
    return time_travel.edit(
        user or owner(session), session.pk, change, rewind_id=rewind_id or new_id(), seen_id=seen_id or head(session)
    )


def values(session) -> dict:
    return agent_types.graph_for(session.agent_type).get_state({"configurable": {"thread_id": str(session.pk)}}).values
