"""What a running agent says, and what its model calls take."""

from langgraph.runtime import get_runtime

from agents.events.digests import text_digest
from agents.graphs.ports import Usage
from agents.ids import derived_id
from agents.services import messages
from orchestrator.runtime.leases import Lease


class SessionVoice:
    """Adds messages and charges of one attempt."""

    def __init__(self, lease: Lease) -> None:
        """Speaks for the session of `lease`."""
        self._lease = lease

    def say(self, text: str) -> None:
        """Add a message, once a step, and make it what the agent does now."""
        task_id = getattr(get_runtime().execution_info, "task_id", "")
        message_id = derived_id(self._lease.holding.session_id, "said", task_id, text_digest(text))
        with self._lease.writing() as session:
            messages.say(session, message_id, text)

    def charge(self, usage: Usage) -> None:
        """Keep what a model call took."""
        with self._lease.writing() as session:
            messages.charge(session, usage.call_id, usage)
