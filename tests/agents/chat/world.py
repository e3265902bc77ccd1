"""What the tests of the chat brain share: an account that keeps its bills, sources, a brain to ask."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from agents.errors import DomainError
from agents.graphs.brains import chat
from agents.graphs.findings import Answer, Citation, Domain, Finding, PassageText, Question, SourceOutline
from agents.graphs.ports import Earlier, Usage
from tests.model_server import MODEL, ModelServer

NAME = f"openai:{MODEL}"
KEY = "sk-of-a-test-that-nobody-may-read"
PATIENT = 30.0  # seconds; far more than a good answer takes


@dataclass
class Bills:
    """An account that is a list."""

    usages: list[Usage] = field(default_factory=list)

    def charge(self, usage: Usage) -> None:
        """Keep it."""
        self.usages.append(usage)

    @property
    def only(self) -> Usage:
        """The one bill."""
        (usage,) = self.usages
        return usage


@dataclass
class OpenLine:
    """A way to the model that is always free, and what was said about it."""

    outcomes: list[str] = field(default_factory=list)
    rests: list[tuple[float, int, str]] = field(default_factory=list)
    earlier: Earlier = field(default_factory=Earlier)

    @contextmanager
    def calling(self, asked: Mapping[str, Any]) -> Iterator["OpenLine"]:
        """At once."""
        yield self

    @contextmanager
    def passing(self) -> Iterator["OpenLine"]:
        """Free."""
        yield self

    def worked(self) -> None:
        """Keep it."""
        self.outcomes.append("")

    def failed(self, reason: str) -> None:
        """Keep it."""
        self.outcomes.append(reason)

    def rest(self, seconds: float, next_try: int, reason: str) -> None:
        """Sleep."""
        self.rests.append((seconds, next_try, reason))
        time.sleep(seconds)


def brain_of(base_url: str, bills: Bills, **options: Any) -> chat.ChatBrain:
    """A brain that thinks with the model at `base_url` and hardly waits between its tries."""
    settings: dict[str, Any] = {
        "name": NAME,
        "base_url": base_url,
        "api_key": KEY,
        "timeout": PATIENT,
        "retries": 2,
        "input_price": Decimal("0.25"),
        "output_price": Decimal("2"),
        "account": bills,
        "line": OpenLine(),
        "backoff": 0.001,
    }
    return chat.connect(**{**settings, **options})


def passage(number: int, text: str, *, source: str = "bees.md", heading: str = "", score: float = 0) -> PassageText:
    """A passage whose id no model could guess."""
    return PassageText(
        passage_id=f"passage-{number:03}-7f3a",
        source_id=f"id-of-{source}",
        source=source,
        heading=heading,
        text=text,
        score=score,
    )


DANCE = passage(1, "A scout dances to show the way.\nThe dance tells distance and direction.", heading="Dance")
QUEEN = passage(2, "The queen lays eggs. She may lay 2000 eggs a day.", heading="Queen")
WAX = passage(3, "Workers make wax. Wax becomes comb.", source="wax.md", heading="Wax")
PASSAGES = (DANCE, QUEEN, WAX)
SOURCES = (
    SourceOutline(source_id="id-of-bees.md", name="bees.md", words=20, headings=("Dance", "Queen")),
    SourceOutline(source_id="id-of-wax.md", name="wax.md", words=6, headings=("Wax",)),
)
OBJECTIVE = "How does a bee colony work?"
DOMAIN = Domain(key="bees", title="Bees", focus="What bees do.", source_ids=("id-of-bees.md",))
QUESTION = Question(key="eggs", text="How many eggs does the queen lay?", domain="bees")
EGGS = Finding(statement="2000 a day.", passage_id=QUEEN.passage_id, quote="She may lay 2000 eggs a day.", relevance=1)
COMB = Finding(statement="Of wax.", passage_id=WAX.passage_id, quote="Wax becomes comb.", relevance=0.5)
CITED = Answer(
    question="How many eggs?",
    text="2000 [1].",
    citations=(Citation(number=1, passage_id=QUEEN.passage_id, quote=EGGS.quote),),
    confidence=0.9,
)


def extract(brain: chat.ChatBrain) -> Sequence[Finding]:
    """Ask `brain` one thing."""
    return brain.extract(QUESTION.text, PASSAGES)


def refusal(server: ModelServer, bills: Bills, **options: Any) -> DomainError:
    """What a brain of `server` ends with when it is asked."""
    with pytest.raises(DomainError) as caught:
        extract(brain_of(options.pop("base_url", server.base_url), bills, **options))
    return caught.value
