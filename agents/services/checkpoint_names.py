"""Names of checkpoints, by which people find them again."""

from uuid import UUID

from django.db import transaction

from agents.actor import Actor
from agents.errors import InvalidInput, NotFound
from agents.events import store
from agents.events.digests import text_digest
from agents.events.types import SessionCheckpointNamed
from agents.models import AgentSession
from agents.models.states import AgentState
from agents.services import sessions

LONGEST = 80  # characters


@transaction.atomic
def give(session_id: UUID, checkpoint_id: UUID, name: str, *, actor: Actor) -> bool:
    """Name a checkpoint of a session; an empty name takes its name away. False if it has that name already.

    Raises NotFound, InvalidInput with a message for the field `name`.
    """
    told = " ".join(name.split())
    session = sessions.lock(session_id)
    state = AgentState.objects.filter(session=session, checkpoint_ns="", checkpoint_id=checkpoint_id).first()
    if state is None:
        raise NotFound
    if state.checkpoint_name == told:
        return False
    if fault := _fault(session, told):
        raise InvalidInput("The checkpoint cannot be named so.", fields={"name": fault})
    AgentState.objects.filter(pk=state.pk).update(checkpoint_name=told)
    digest = text_digest(told) if told else ""
    store.record(SessionCheckpointNamed(checkpoint_id=checkpoint_id, digest=digest), session, actor=actor)
    return True


def _fault(session: AgentSession, name: str) -> str:
    if len(name) > LONGEST:
        return f"That is {len(name)} characters; {LONGEST} are the most."
    if not name.isprintable():
        return "There is a character in it that cannot be shown."
    if name and AgentState.objects.filter(session=session, checkpoint_name=name).exists():
        return "Another checkpoint of this agent has that name."
    return ""
