"""What a graph may reach outside itself. The runner hands the implementations in as the graph's context."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from agents.graphs.findings import (
    Answer,
    Domain,
    Finding,
    Judgement,
    PassageText,
    Plan,
    Question,
    Reading,
    Reference,
    SourceOutline,
    WorkItem,
)
from agents.ids import new_id
from agents.lifecycle import ChildrenNeeded

if TYPE_CHECKING:
    from agents.graphs.colleagues import Colleagues


class Embedder(Protocol):
    """Turns texts into vectors of unit length."""

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of `texts`, float32 [len(texts), dimension]."""
        ...


class Brain(Protocol):
    """How agents think. Each call is pure: the same input may be asked again after a crash."""

    name: str

    def plan(
        self, objective: str, sources: Sequence[SourceOutline], passages: Sequence[PassageText], *, most: int
    ) -> Plan:
        """The queen's: split `objective` into 1 to `most` domains. `passages` are a sample of the sources."""
        ...

    def split(
        self, objective: str, domain: Domain, passages: Sequence[PassageText], *, most: int
    ) -> Sequence[Question]:
        """The architect's: 1 to `most` questions that cover `domain`; `passages` are the domain's own."""
        ...

    def analyse(self, question: Question, passages: Sequence[PassageText], *, most: int) -> Sequence[WorkItem]:
        """The specialist's: 1 to `most` pieces of work; `passages` are what a search found."""
        ...

    def extract(self, question: str, passages: Sequence[PassageText]) -> Sequence[Finding]:
        """The worker's: what `passages` say about `question`, best first; empty when they say nothing."""
        ...

    def extract_all(self, readings: Sequence[Reading]) -> Sequence[Sequence[Finding]]:
        """The worker's, for several tasks at once: what `extract` finds for each of them, in their order."""
        ...

    def synthesise(self, question: str, findings: Sequence[Finding], passages: Sequence[PassageText]) -> Answer:
        """The specialist's: one cited answer from `findings`; `passages` are the ones they name."""
        ...

    def summarise(self, objective: str, title: str, answers: Sequence[Answer]) -> str:
        """The architect's and the queen's: a few sentences over `answers`, without new claims."""
        ...

    def judge(self, objective: str, answers: Sequence[Answer]) -> Judgement:
        """The quality gate: do `answers` serve `objective`, and is each claim cited?"""
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """What one model call took. Tokens; cost in dollars; duration in milliseconds.

    It was for several `tasks`: one call for each would have taken about the saved tokens and cost more.
    """

    model: str
    purpose: str
    input_tokens: int
    output_tokens: int
    cost: str
    tries: int
    duration_ms: int
    tasks: int = 1
    saved_tokens: int = 0
    saved_cost: str = "0"
    call_id: UUID = field(default_factory=new_id, compare=False)

    @property
    def dollars(self) -> Decimal:
        """The cost, exact."""
        return Decimal(self.cost)


class Recall(Protocol):
    """The replies of a model that are kept for the same question."""

    def find(self, model: str, purpose: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The reply to the same question, noted as reused; None without one."""
        ...

    def keep(self, model: str, asked: dict[str, Any], reply: dict[str, Any], usage: Usage) -> None:
        """Keep a reply that fitted."""
        ...


class Passage(Protocol):
    """One try of a call on its way to a model."""

    def worked(self) -> None:
        """The model's server answered, if only that it will not."""
        ...

    def failed(self, reason: str) -> None:
        """The model's server is not working."""
        ...


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier attempts of an agent at the same call took: tries, and seconds of pauses."""

    tries: int = 0
    rested: float = 0.0


class Call(Protocol):
    """One call, in as many tries as it takes."""

    @property
    def earlier(self) -> Earlier:
        """What went before this attempt."""
        ...

    def passing(self) -> AbstractContextManager[Passage]:
        """A try passes in this block, in its turn. Raises CircuitOpen, RateLimited or Resting instead."""
        ...

    def rest(self, seconds: float, next_try: int, reason: str) -> None:
        """Say why the call is tried again, and rest until then.

        Raises Resting when another attempt is to make that try, HandedBack when the agent is to stop.
        """
        ...


class Line(Protocol):
    """The way to a model, which all agents share."""

    def calling(self, asked: Mapping[str, Any]) -> AbstractContextManager[Call]:
        """One call in this block; the same when another attempt asks the same. Raises Resting: not yet."""
        ...


class Account(Protocol):
    """Where a brain writes what its model calls took."""

    def charge(self, usage: Usage) -> None:
        """Keep `usage` on the running session."""
        ...


class Sources(Protocol):
    """The mission's sources."""

    def prepare(self, progress: Progress) -> None:
        """Make every passage searchable; safe to call again."""
        ...

    def outlines(self) -> Sequence[SourceOutline]:
        """All sources of the mission, by name."""
        ...

    def sample(self, limit: int) -> Sequence[PassageText]:
        """Up to `limit` passages spread evenly over all sources."""
        ...

    def passages(self, passage_ids: Sequence[str]) -> Sequence[PassageText]:
        """These passages, in this order; unknown ids are left out."""
        ...

    def lengths(self, passage_ids: Sequence[str]) -> Mapping[str, int]:
        """About how many tokens these passages have; unknown ids are left out."""
        ...

    def search(self, query: str, limit: int) -> Sequence[PassageText]:
        """The passages nearest in meaning and words to `query`, best first."""
        ...


class Progress(Protocol):
    """Told how far a long step has come."""

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` pieces are through."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What an agent and all below it may spend: tokens, dollars, seconds of work, steps, agents started below.

    None: no limit.
    """

    tokens: int | None = None
    cost: Decimal | None = None
    seconds: int | None = None
    steps: int | None = None
    children: int | None = None

    def given(self) -> dict[str, Any]:
        """Those that limit something, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class ChildTask:
    """What a delegating agent asks of one child. `seconds` is how long it may take, `limits` its part of a budget.

    `reads` is what it is to read, of about so many `tokens`: by that, similar tasks are put together.
    """

    agent_type: str
    name: str
    goal: str
    input: BaseModel
    seconds: float | None = None
    limits: Limits | None = None
    reads: tuple[str, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class ChildOutcome:
    """How one child ended, and when. `output` is what its graph returned, None unless it succeeded.

    A long one is a `Reference` as JSON instead, of which `Details.whole` makes it. `missing` says in words why there
    is no result; it is empty where there is one.
    """

    session_id: UUID
    name: str
    status: str
    output: dict[str, Any] | None
    error: str
    ended_at: datetime | None
    missing: str = ""


class Team(Protocol):
    """The agents below."""

    def delegate(
        self,
        tasks: Sequence[ChildTask],
        *,
        key: str,
        reason: str,
        needs: ChildrenNeeded = ChildrenNeeded.ALL,
        needed: int = 0,
        others_go_on: bool = False,
    ) -> Sequence[ChildOutcome]:
        """Start one child a task and wait for all, `needed` or any of them; outcomes in the order of `tasks`.

        Once enough are back the others are stopped, or go on as long as this agent works. Where all are waited for,
        one agent may do several tasks, if its type says so; there is an outcome for each all the same.

        Nothing is held while it waits: the graph stops here and is called again. `key` names the question in
        its node, `reason` says in words what is waited for.
        """
        ...


class Tools(Protocol):
    """The agent's tools, behind the guard."""

    def call(
        self, tool: str, arguments: dict[str, Any], *, key: str, intent: str, fresh: bool = False
    ) -> dict[str, Any]:
        """Run `tool` once: policy, approval if asked, ledger, result. `key` names the call in its session.

        A refusal comes back as {"refused": reason}. `intent` is the agent's own sentence for who decides. Where the
        tool's results may be reused, that of an equal call answers, unless the call is to be `fresh`.
        """
        ...


class Voice(Protocol):
    """What the agent says about itself."""

    def say(self, text: str) -> None:
        """Add a message and make it what the agent does now."""
        ...


class Waiting(Protocol):
    """Time and signals. Nothing is held while an agent waits; `key` names the question in its node."""

    def sleep(self, seconds: float, *, key: str, reason: str) -> None:
        """Wait that long, by the database's clock."""
        ...

    def sleep_until(self, at: datetime, *, key: str, reason: str) -> None:
        """Wait until a time, which has a time zone."""
        ...

    def signal(self, name: str, *, key: str, reason: str, seconds: float | None = None) -> Any:
        """Wait for a signal of this name to the mission; its payload. One that came before is taken at once.

        Raises SignalMissed when none has come within `seconds`.
        """
        ...

    def send(self, name: str, payload: Any, *, key: str, everyone: bool = False) -> None:
        """Send a signal to one wait of the mission, or to each of its agents; once, however often the step is run."""
        ...


class Details(Protocol):
    """What is too long for states and messages: kept once in the mission, handed on by reference."""

    def keep(self, kind: str, summary: str, body: Any) -> Reference:
        """Keep `body`, which is JSON; the same body has the same reference, however often the step is run."""
        ...

    def fetch(self, reference: str) -> Any:
        """The body. Raises DetailMissing where this mission has none, whether or not another one has."""
        ...

    def whole(self, value: Any) -> Any:
        """The body where `value` is a reference as JSON, else `value`. Raises DetailMissing."""
        ...


class Inbox(Protocol):
    """What people tell the agent."""

    def read(self) -> Sequence[str]:
        """What was told before this step began and no earlier step has read, oldest first; the same if it is redone."""
        ...


@dataclass(frozen=True, slots=True)
class AgentContext:
    """Everything that a node may reach. `think` makes the brain when it is first needed: it may be large.

    `embed` turns texts into vectors of unit length, float32 [len(texts), dimension].
    """

    session_id: UUID
    mission_id: UUID
    run_started_at: datetime
    think: Callable[[], Brain]
    sources: Sources
    team: Team
    tools: Tools
    voice: Voice
    inbox: Inbox
    waiting: Waiting
    details: Details
    colleagues: Colleagues
    embed: Callable[[Sequence[str]], NDArray[np.float32]]

    @property
    def brain(self) -> Brain:
        """How the agent thinks. Raises ModelUnavailable when the mission's model cannot be had."""
        return self.think()
