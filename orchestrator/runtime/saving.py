"""The saver, with the fence in the transaction of each write."""

from functools import cache
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig

from agents.checkpoints.saver import QueenrightSaver
from agents.services import damage
from orchestrator.conf import state_keys


class Permit(Protocol):
    """Why a write of a state may be: a worker's lease, or a person's hold on an agent that nobody runs."""

    def check(self) -> None:
        """Fence the caller's transaction off from other writers. Raises Fenced."""
        ...


LEASE = "__lease"  # a key with two underscores stays out of the metadata, and sub-graphs inherit it


@cache
def saver() -> QueenrightSaver:
    """The saver of this process."""
    keys = state_keys()
    return QueenrightSaver(fence=_fence, on_damage=damage.record, key=keys.key, old_keys=keys.old)


@cache
def unfenced() -> QueenrightSaver:
    """One for sessions that nobody can run, because the caller's transaction makes them."""
    keys = state_keys()
    return QueenrightSaver(key=keys.key, old_keys=keys.old)


def _fence(cursor: Any, config: RunnableConfig) -> None:
    permit: Permit = config["configurable"][LEASE]
    permit.check()
