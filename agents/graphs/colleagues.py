"""The other agents, as a graph sees them: telling, asking, answering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from agents.graphs.ports import Brain, Sources
from agents.words import CommunicationType


@dataclass(frozen=True, slots=True)
class Colleague:
    """Another agent of the mission. `is_at_work`: it has not ended."""

    session_id: UUID
    name: str
    level: str
    is_at_work: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """What another agent told, or asks. `passed_on` holds who could not answer before, a sentence each."""

    kind: CommunicationType
    sender: Colleague
    content: Mapping[str, Any]
    passed_on: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request. `content` is None where nobody answered, and `missing` says in words who, and why.

    `by` names who answered, or was to.
    """

    outcome: str
    by: str
    content: Mapping[str, Any] | None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What came of an escalation: `verdict` is advice, retry, skip or stop; empty where nobody answered.

    `words` are the advice, or the reason; where nobody answered, who was silent.
    """

    verdict: str
    words: str
    by: str


ADVICE = frozenset({"advice", "retry", "skip", "stop"})


@dataclass(frozen=True, slots=True)
class PassOn:
    """Returned by who answers a request: the level above is to do it, people above the queen. `reason` is told it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Respondent:
    """What who answers a request may reach: it thinks and reads, and changes nothing."""

    session_id: UUID
    mission_id: UUID
    name: str
    think: Callable[[], Brain]
    sources: Sources

    @property
    def brain(self) -> Brain:
        """How the agent thinks. Raises ModelUnavailable when the mission's model cannot be had."""
        return self.think()


Answers = Callable[[Respondent, Told, Mapping[str, Any]], Mapping[str, Any] | PassOn]
"""Answers a request from an agent's latest state, outside of its graph. Pure: after a death it is called again."""


class Colleagues(Protocol):
    """The agents beside, above and below. What may be said to whom is in `agents.services.communications`."""

    def above(self) -> Colleague | None:
        """The agent above; None for a queen."""
        ...

    def peers(self) -> Sequence[Colleague]:
        """Those of the same level under the same agent, in order, those after this one first."""
        ...

    def tell(
        self, kind: CommunicationType, content: Mapping[str, Any], *, to: UUID, key: str, priority: int = 0
    ) -> None:
        """Tell another agent, once for `key` of this session. Raises TellingRefused."""
        ...

    def broadcast(self, kind: CommunicationType, content: Mapping[str, Any], *, key: str, below: bool = False) -> None:
        """Tell all peers, or all `below`, once for `key`; those who start later read it, too. Raises TellingRefused."""
        ...

    def read(self) -> Sequence[Told]:
        """What was told to this agent and no earlier step has read, oldest first; the same if the step is redone."""
        ...

    def hand_over(self, *, key: str) -> Mapping[str, str]:
        """Hand half of what is left of this agent's own budget to the peer most in need, once for `key`; what, by name.

        Nothing where it has none, or no peer at work has one.
        """
        ...

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
        """Ask another agent, and wait for its answer up to `seconds`. Nothing is held while it waits."""
        ...

    def escalate(self, problem: str, *, key: str, reason: str, seconds: float) -> Advice:
        """Put a problem to the agent above, which may pass it on up to people. Nothing is held while it waits."""
        ...
