"""The agents beside and above, as a graph sees them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from langgraph.runtime import get_runtime

from agents.checkpoints.connections import scoped
from agents.graphs.colleagues import ADVICE, Advice, Colleague, Reply, Told
from agents.ids import derived_id
from agents.lifecycle import FINAL, WaitKind
from agents.models import AgentCommunication, AgentSession
from agents.services import communications, escalations, sharing
from agents.services.communications import Message
from agents.words import CommunicationOutcome, CommunicationType
from orchestrator.runtime.asking import ask
from orchestrator.runtime.durability import Held
from orchestrator.runtime.leases import Lease


class SessionColleagues:
    """Tells and asks for one attempt: a request's rows are made when the agent has parked."""

    def __init__(self, session: AgentSession, lease: Lease, held: Held | None = None) -> None:
        """For the session of `lease`, of whose states some may be `held` back."""
        self._session = session
        self._lease = lease
        self._held = held

    def above(self) -> Colleague | None:
        """The agent above; None for a queen."""
        if self._session.parent_id is None:
            return None
        with scoped():
            return colleague(AgentSession.objects.get(pk=self._session.parent_id))

    def peers(self) -> Sequence[Colleague]:
        """Those of the same level under the same agent, in order, those after this one first."""
        own = self._session
        if own.parent_id is None:
            return []
        with scoped():
            beside = AgentSession.objects.filter(parent=own.parent_id, level=own.level, forked_from__isnull=True)
            found = list(beside.exclude(pk=own.pk).order_by("created_at", "position", "pk"))
        place = (own.created_at, own.position, own.pk)
        found.sort(key=lambda one: (one.created_at, one.position, one.pk) < place)  # stable: later ones first
        return [colleague(one) for one in found]

    def tell(
        self, kind: CommunicationType, content: Mapping[str, Any], *, to: UUID, key: str, priority: int = 0
    ) -> None:
        """Tell another agent, once for `key` of this session."""
        with self._lease.writing() as session:
            message = Message(kind, content, priority)
            communications.tell(session, derived_id(session.pk, "told", key), message, to=to)

    def broadcast(self, kind: CommunicationType, content: Mapping[str, Any], *, key: str, below: bool = False) -> None:
        """Tell all peers, or all `below`, once for `key`."""
        with self._lease.writing() as session:
            message = Message(kind, content)
            communications.tell(session, derived_id(session.pk, "told", key), message, below=below)

    def read(self) -> Sequence[Told]:
        """What was told to this agent and no earlier step has read, oldest first; the same if the step is redone."""
        if self._held is not None:  # what a step has read must not depend on when it is redone
            self._held.write()
        at = get_runtime().execution_info
        if at is None or not at.checkpoint_id:
            return []
        with self._lease.writing() as session:
            return [told(one) for one in communications.read(session, UUID(at.checkpoint_id))]

    def hand_over(self, *, key: str) -> Mapping[str, str]:
        """Hand half of what is left of this agent's own budget to the peer most in need, once for `key`."""
        with scoped():
            return sharing.hand_over(self._lease.holding, derived_id(self._session.pk, "told", key))

    def request(
        self,
        kind: CommunicationType,
        content: Mapping[str, Any],
        *,
        to: UUID,
        key: str,
        reason: str,
        seconds: float,
        priority: int = 0,
    ) -> Reply:
        """Ask another agent, and wait for its answer up to `seconds`."""
        answer = ask(
            WaitKind.REPLY,
            f"request:{key}",
            subject="an answer",
            reason=reason,
            says=str(kind),
            content=dict(content),
            to=str(to),
            seconds=seconds,
            priority=priority,
        )
        if "type" in answer:  # of a person: no level could answer
            return Reply(CommunicationOutcome.ANSWERED, escalations.PEOPLE, escalations.advice_of(answer))
        return Reply(answer["outcome"], answer["by"], answer["content"], answer["missing"])

    def escalate(self, problem: str, *, key: str, reason: str, seconds: float) -> Advice:
        """Put a problem to the agent above, which may pass it on up to people."""
        if self._session.parent_id is None:
            return Advice("", "Nobody is above this agent.", "")
        reply = self.request(
            CommunicationType.ESCALATION,
            {"problem": problem},
            to=self._session.parent_id,
            key=f"escalation:{key}",
            reason=reason,
            seconds=seconds,
        )
        if reply.content is None:
            return Advice("", reply.missing, reply.by)
        verdict = str(reply.content.get("verdict"))
        return Advice(verdict if verdict in ADVICE else "advice", str(reply.content.get("words", "")), reply.by)


def colleague(session: AgentSession) -> Colleague:
    """An agent as others see it."""
    return Colleague(session.pk, session.name, session.level, session.status not in FINAL)


def told(communication: AgentCommunication) -> Told:
    """What was told, or asked, as its receiver sees it."""
    content = dict(communication.message_content)
    passed_on = content.pop("passed_on", [])
    kind = CommunicationType(communication.message_type)
    return Told(kind, colleague(communication.sender_session), content, passed_on)
