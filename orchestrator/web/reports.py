"""A mission's result, with each citation a link to its passage."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.safestring import SafeString
from pydantic import ValidationError

from agents.graphs.findings import Answer, Report
from agents.graphs.reports import CITATION
from agents.models import AgentSession
from orchestrator.web import markdown

_LONGEST_QUOTE = 300  # characters of a quote in an address


@dataclass(frozen=True, slots=True)
class Cited:
    """A passage that an answer rests on. `number` counts through the whole report."""

    number: int
    passage_id: str
    quote: str

    @property
    def address(self) -> str:
        """The passage, with the quoted words marked."""
        query = urlencode({"quote": self.quote[:_LONGEST_QUOTE]})
        return f"{reverse('passage', args=[self.passage_id])}?{query}"


@dataclass(frozen=True, slots=True)
class Section:
    """The answer to one question."""

    question: str
    html: SafeString
    citations: tuple[Cited, ...]
    confidence: float
    missing: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a mission ended. `publication` says whether, as what and where the report was published, or why not."""

    title: str
    summary: SafeString
    sections: tuple[Section, ...]
    missing: tuple[str, ...]
    publication: dict[str, Any]


def result_of(mission: AgentSession) -> Result | None:
    """The result of a mission; None while there is none, or when it is not a report."""
    output = mission.current_run.output if mission.current_run else None
    if not isinstance(output, dict):
        return None
    try:
        report = Report.model_validate(output.get("report"))
    except ValidationError:
        return None
    numbers: dict[str, int] = {}
    for answer in report.answers:
        for citation in answer.citations:
            numbers.setdefault(citation.passage_id, len(numbers) + 1)
    return Result(
        report.title,
        markdown.render(report.summary),
        tuple(_section(answer, numbers) for answer in report.answers),
        report.missing,
        output.get("publication") or {},
    )


def _section(answer: Answer, numbers: dict[str, int]) -> Section:
    cited = {
        citation.number: Cited(numbers[citation.passage_id], citation.passage_id, citation.quote)
        for citation in answer.citations
    }

    def linked(match: Any) -> str:
        source = cited.get(int(match.group(1)))
        return f"[\\[{source.number}\\]]({source.address})" if source else match.group(0)

    return Section(
        answer.question,
        markdown.render(CITATION.sub(linked, answer.text)),
        tuple(sorted(cited.values(), key=lambda one: one.number)),
        answer.confidence,
        answer.missing,
    )
