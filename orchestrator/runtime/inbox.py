"""What people told a running agent."""

from collections.abc import Sequence
from uuid import UUID

from langgraph.runtime import get_runtime

from agents.checkpoints.connections import scoped
from agents.services import messages
from orchestrator.runtime.durability import Held
from orchestrator.runtime.leases import Lease


class SessionInbox:
    """Reads the messages of one attempt."""

    def __init__(self, lease: Lease, held: Held | None = None) -> None:
        """Reads for the session of `lease`, of whose states some may be `held` back."""
        self._lease = lease
        self._held = held

    def read(self) -> Sequence[str]:
        """What came before the state on which this step works and was not read by an earlier step, oldest first."""
        if self._held is not None:  # what a step has read must not depend on when it is redone
            self._held.write()
        at = get_runtime().execution_info
        if at is None or not at.checkpoint_id or not self._is_told():
            return []
        with self._lease.writing() as session:
            return messages.read(session, UUID(at.checkpoint_id))

    def _is_told(self) -> bool:
        """Most agents are never told anything: no lock for them."""
        with scoped():
            return messages.is_told(self._lease.holding.session_id)
