"""A brain that needs no model: it groups, matches, picks and cites what the sources themselves say.

Meaning comes from an embedder, the rest is counting. It says nothing about the subject in words of its own: each
claim is a statement of a source, with its words and its place. The same input gives the same output.
"""

from collections.abc import Sequence

from agents.graphs.brains import extractive_framing as framing
from agents.graphs.brains import extractive_planning as planning
from agents.graphs.brains import extractive_reading as reading
from agents.graphs.brains import extractive_writing as writing
from agents.graphs.brains.extractive_clusters import Vectors
from agents.graphs.findings import (
    Answer,
    Domain,
    Finding,
    Judgement,
    PassageText,
    Plan,
    Question,
    Reading,
    SourceOutline,
    WorkItem,
)
from agents.graphs.ports import Embedder


class ExtractiveBrain:
    """Thinks by grouping, matching and picking."""

    name = "extractive"

    def __init__(self, embedder: Embedder) -> None:
        """`embedder` says what is near in meaning."""
        self._embedder = embedder

    def _embed(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed(texts)

    def plan(
        self, objective: str, sources: Sequence[SourceOutline], passages: Sequence[PassageText], *, most: int
    ) -> Plan:
        """Split `objective` by what of the sources bears on it and belongs together."""
        return planning.plan(objective, sources, passages, most=most, embed=self._embed)

    def split(
        self, objective: str, domain: Domain, passages: Sequence[PassageText], *, most: int
    ) -> Sequence[Question]:
        """Ask what the objective asks of `domain`, then what the domain's sections can answer."""
        return framing.split(objective, domain, passages, most=most, embed=self._embed)

    def analyse(self, question: Question, passages: Sequence[PassageText], *, most: int) -> Sequence[WorkItem]:
        """Cut the passages near the question into pieces of work."""
        return reading.analyse(question, passages, most=most, embed=self._embed)

    def extract(self, question: str, passages: Sequence[PassageText]) -> Sequence[Finding]:
        """Pick the statements that bear on the question."""
        return reading.extract(question, passages, embed=self._embed)

    def extract_all(self, readings: Sequence[Reading]) -> Sequence[Sequence[Finding]]:
        """One after the other: there is no call to save."""
        return [self.extract(reading.question, reading.passages) for reading in readings]

    def synthesise(self, question: str, findings: Sequence[Finding], passages: Sequence[PassageText]) -> Answer:
        """Put the best statements together, each with its citation."""
        return writing.synthesise(question, findings, passages, embed=self._embed)

    def summarise(self, objective: str, title: str, answers: Sequence[Answer]) -> str:
        """The leading statements of the answers, nearest to the objective first chosen."""
        return writing.summarise(objective, answers, embed=self._embed)

    def judge(self, objective: str, answers: Sequence[Answer]) -> Judgement:
        """Are the objective's questions answered, and is each claim cited?"""
        return writing.judge(objective, answers, embed=self._embed)
