"""LangGraph's checkpoints on Django's database, for any Django project that installs `agents`."""

from agents.checkpoints.connections import scoped
from agents.checkpoints.damage import Damage
from agents.checkpoints.errors import (
    SpaceBusy,
    StateDamaged,
    StateKeyMissing,
    ThreadMoved,
    ThreadNotEmpty,
    UnknownThread,
)
from agents.checkpoints.saver import QueenrightSaver
from agents.checkpoints.store import Permit

__all__ = [
    "Damage",
    "Permit",
    "QueenrightSaver",
    "SpaceBusy",
    "StateDamaged",
    "StateKeyMissing",
    "ThreadMoved",
    "ThreadNotEmpty",
    "UnknownThread",
    "scoped",
]
