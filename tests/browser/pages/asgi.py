"""The server's entry with the tests' own agents and tools, so that pages can rewind them."""

from orchestrator.asgi import application
from tests import agent_types

__all__ = ["agent_types", "application"]
