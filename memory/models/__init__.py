"""What agents read and what they remember, and what was asked of people: everything with a vector."""

from memory.models.memories import AgentMemory, MemoryAccess, MemoryVector
from memory.models.precedents import Dismissal, Precedent
from memory.models.sources import MissionPassage, MissionSource

__all__ = [
    "AgentMemory",
    "Dismissal",
    "MemoryAccess",
    "MemoryVector",
    "MissionPassage",
    "MissionSource",
    "Precedent",
]
