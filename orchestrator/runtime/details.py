"""What an agent keeps for others, and fetches of what they kept."""

from typing import Any

from agents.checkpoints.connections import scoped
from agents.graphs.findings import Reference
from agents.models import AgentSession
from agents.services import details
from orchestrator.runtime.leases import Lease
from orchestrator.runtime.saving import vault


class SessionDetails:
    """The details of one mission, for one attempt of one of its agents."""

    def __init__(self, lease: Lease, session: AgentSession) -> None:
        """For the session of `lease`."""
        self._lease = lease
        self._space_id = session.space_id

    def keep(self, kind: str, summary: str, body: Any) -> Reference:
        """Keep `body` for the mission."""
        with self._lease.writing() as session:
            return details.keep(session, kind, summary, body, vault=vault())

    def fetch(self, reference: str) -> Any:
        """The body. Raises DetailMissing."""
        with scoped():
            return details.fetch(self._space_id, reference, vault=vault())

    def whole(self, value: Any) -> Any:
        """The body where `value` is a reference as JSON, else `value`. Raises DetailMissing."""
        found = details.reference_in(value)
        return value if found is None else self.fetch(found.detail)
