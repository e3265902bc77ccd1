"""The small missions in which a worker is killed at each commit: how they start, and what must hold at their end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from uuid import UUID

from agents.models import AgentCommunication, AgentEvent, AgentRun, KeptResult, ModelCall
from agents.roles import Level
from agents.words import CommunicationOutcome, CommunicationType
from tests.agent_types import Brief
from tests.faults import checks, mission, thinkers
from tests.faults.checks import Faults


@dataclass(frozen=True, slots=True)
class Thought:
    """The model calls of a mission: how many reached the model, are charged, and have their reply kept."""

    made: int
    charged: int
    kept: int

    @classmethod
    def of(cls, root: UUID, name: str) -> "Thought":
        """As it is now."""
        calls = ModelCall.objects.filter(session__root=root, is_reused=False)
        kept = KeptResult.objects.filter(origin_id__in=calls.values("pk"))
        return cls(thinkers.model_calls(name), calls.count(), kept.count())

    def faults_after(self, at_death: "Thought", needed: int) -> Faults:
        """What is wrong with this, where it was `at_death` and a mission needs so many calls.

        A call whose reply is kept is not made again, each other is made once more and charged; one at most was
        under way.
        """
        missing = needed - at_death.kept
        expected = Thought(at_death.made + missing, at_death.charged + missing, needed)
        found = [] if self == expected else [f"model calls: {at_death} at the death, then {self}, not {expected}"]
        return found + ([f"not recorded at the death: {at_death}"] if at_death.made > at_death.kept + 1 else [])


@dataclass(frozen=True, slots=True)
class Play:
    """A mission: who leads it and with what, how many agents it has, whose effects, and so many `calls` of a model.

    `speaks` is the kind of agent, faults.<kind>, whose output tells what came of it; `requests` are put by agents.
    """

    lead: str
    level: Level
    agents: int
    below: tuple[int, ...] = ()
    effects: Callable[[str], Sequence[str]] = lambda name: ()
    calls: int = 0
    requests: int = 0
    speaks: str = ""

    def start(self, root: UUID, name: str) -> None:
        """Start it, once."""
        brief = Brief(name=name, below=self.below)
        mission.start_once(root, f"faults.{self.lead}", self.level, brief, model=thinkers.MODEL if self.calls else "")

    def faults_of(self, root: UUID, name: str, at_death: Thought) -> Faults:
        """What is wrong with it, now that it has ended, in sentences."""
        return [
            *checks.faults_of(root, self.effects(name), self.agents),
            *Thought.of(root, name).faults_after(at_death, self.calls),
            *self._outputs(root, name),
            *_requests(root, self.requests),
        ]

    def _outputs(self, root: UUID, name: str) -> Faults:
        if not self.speaks:
            return []
        (output,) = AgentRun.objects.filter(
            session__root=root, session__agent_type=f"faults.{self.speaks}"
        ).values_list("output", flat=True)
        expected = thinkers.expected_of(self.speaks, name)
        return [] if output == expected else [f"it came to {output}, not {expected}"]


def _requests(root: UUID, number: int) -> Faults:
    """Each request is answered once, with one reply, and closed by one event."""
    said = AgentCommunication.objects.filter(sender_session__root=root)
    outcomes = list(said.filter(wait__isnull=False).values_list("outcome", flat=True))
    closed = AgentEvent.objects.filter(correlation_id=root, event_type="communication.closed").count()
    replies = said.filter(message_type=CommunicationType.REPLY).count()
    found = [] if outcomes == [CommunicationOutcome.ANSWERED] * number else [f"requests came to {outcomes}"]
    return found + ([] if replies == closed == number else [f"{replies} replies, {closed} closed of {number}"])


def delegating(*below: int) -> Play:
    """One of all levels down to the workers: see `mission.start`."""
    level = list(Level)[-1 - len(below)]
    agents = sum(prod(below[:levels]) for levels in range(len(below) + 1))
    return Play(level, level, agents, below, effects=lambda name: mission.workers(name, below))


PLAYS: Mapping[str, Play] = {
    "one-level": delegating(2),
    "all-levels": delegating(1, 1, 2),
    "requests": Play(
        "host", Level.ARCHITECT, 3, effects=lambda name: [f"{name}.0"], calls=2, requests=2, speaks="asker"
    ),
    "batch": Play(
        "foreman", Level.SPECIALIST, 2, effects=lambda name: mission.workers(name, (3,)), calls=2, speaks="foreman"
    ),
}
