"""What agents read and what they remember: everything with a vector."""

from memory.models.memories import AgentMemory, MemoryAccess, MemoryVector
from memory.models.sources import MissionPassage, MissionSource

__all__ = ["AgentMemory", "MemoryAccess", "MemoryVector", "MissionPassage", "MissionSource"]
