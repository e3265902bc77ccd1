"""The saver, with the fence in the transaction of each write."""

from functools import cache
from typing import Any

from langchain_core.runnables import RunnableConfig

from agents.checkpoints.saver import QueenrightSaver
from orchestrator.runtime.leases import Lease

LEASE = "__lease"  # a key with two underscores stays out of the metadata, and sub-graphs inherit it


@cache
def saver() -> QueenrightSaver:
    """The saver of this process."""
    return QueenrightSaver(fence=_fence)


def _fence(cursor: Any, config: RunnableConfig) -> None:
    lease: Lease = config["configurable"][LEASE]
    lease.check()
