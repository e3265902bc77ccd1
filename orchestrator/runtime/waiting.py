"""Time and signals, as a graph sees them."""

from datetime import datetime
from typing import Any

from agents.actor import agent
from agents.checkpoints.connections import scoped
from agents.errors import SignalMissed
from agents.ids import derived_id
from agents.lifecycle import WaitKind
from agents.models import AgentSession
from agents.services import signals
from agents.services.timers import TIMED_OUT
from orchestrator.runtime.asking import ask
from orchestrator.runtime.leases import Lease


class SessionWaiting:
    """Waits and sends signals for one attempt: the rows of a wait are made when the agent has parked."""

    def __init__(self, lease: Lease) -> None:
        """For the session of `lease`."""
        self._lease = lease

    def sleep(self, seconds: float, *, key: str, reason: str) -> None:
        """Wait that long, by the database's clock."""
        ask(WaitKind.TIMER, f"timer:{key}", subject="a time", reason=reason, seconds=seconds, until=None)

    def sleep_until(self, at: datetime, *, key: str, reason: str) -> None:
        """Wait until a time, which has a time zone. Raises ValueError for one without."""
        if at.tzinfo is None:
            raise ValueError("a time to wait for needs a time zone")
        ask(WaitKind.TIMER, f"timer:{key}", subject="a time", reason=reason, seconds=None, until=at.isoformat())

    def signal(self, name: str, *, key: str, reason: str, seconds: float | None = None) -> Any:
        """Wait for a signal; its payload. Raises SignalMissed when none has come within `seconds`."""
        answer = ask(
            WaitKind.EVENT,
            f"signal:{key}:{name}",
            subject=f"the signal {name}",
            reason=reason,
            signal=name,
            seconds=seconds,
        )
        if answer.get(TIMED_OUT):
            raise SignalMissed(f"The signal {name} did not come in time.", name=name)
        return answer["payload"]

    def send(self, name: str, payload: Any, *, key: str, everyone: bool = False) -> None:
        """Send a signal, once for `key` of this session."""
        holding = self._lease.holding
        with self._lease.writing() as session:
            mission = AgentSession(pk=session.root_id, project_id=session.project_id, root_id=session.root_id)
        with scoped():
            signal_id = derived_id(holding.session_id, "signal", key)
            signals.send(mission, signal_id, name, payload, everyone=everyone, actor=agent(holding.session_id))
