"""Counts the steps of a running agent and its time at work, and stops it before it overspends."""

import time

from agents.checkpoints.connections import scoped
from agents.models import AgentSession
from agents.services import budgets, spending
from orchestrator.runtime.leases import Lease

BUDGET = "budget"  # why a graph is drained


class Meter:
    """The meter of one attempt."""

    def __init__(self, session: AgentSession, lease: Lease) -> None:
        """Time counts from now. An agent whose budget is used up makes no step."""
        self._session = session
        self._lease = lease
        self._since = time.monotonic()
        self._check()

    def step(self) -> None:
        """A step has ended. The next one is not made if a budget is used up by now."""
        now = time.monotonic()
        taken, self._since = now - self._since, now
        with scoped():
            spending.count(self._session.pk, steps=1, milliseconds=round(taken * 1000))
            self._check()

    def _check(self) -> None:
        if budgets.used_up(self._session) is not None:
            self._lease.control.request_drain(BUDGET)
