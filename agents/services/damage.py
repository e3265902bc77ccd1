"""Damaged states of agents, in the agents' logs."""

from agents.actor import SYSTEM
from agents.checkpoints.damage import Damage
from agents.events import store
from agents.events.types import SessionStateDamaged
from agents.services import sessions


def record(damage: Damage) -> None:
    """Append a damaged state to its session's events: what `QueenrightSaver(on_damage=...)` takes."""
    event = SessionStateDamaged(
        checkpoint_id=damage.checkpoint_id,
        checkpoint_ns=damage.checkpoint_ns,
        reason=damage.reason,
        gave_way_to=damage.gave_way_to,
    )
    store.record(event, sessions.lock(damage.session_id), actor=SYSTEM)
