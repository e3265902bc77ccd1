"""LangGraph's checkpoints on Django's database, for any Django project that installs `agents`."""

from agents.checkpoints.connections import scoped
from agents.checkpoints.damage import Damage
from agents.checkpoints.errors import SpaceBusy, StateDamaged, StateKeyMissing, ThreadNotEmpty, UnknownThread
from agents.checkpoints.saver import QueenrightSaver

__all__ = [
    "Damage",
    "QueenrightSaver",
    "SpaceBusy",
    "StateDamaged",
    "StateKeyMissing",
    "ThreadNotEmpty",
    "UnknownThread",
    "scoped",
]
