"""A report as Markdown."""

import re
from collections.abc import Sequence

from agents.graphs.findings import Answer, PassageText, Report
from agents.prose.slugs import slug

CITATION = re.compile(r"\[(\d+)\]")


def file_name(title: str, mission_id: str) -> str:
    """A file name for a report: words of its title and the end of the mission's id, so that two never meet."""
    stem = slug(title, 60) or "report"
    return f"{stem}-{mission_id.replace('-', '')[-6:]}.md"


def markdown(report: Report, passages: Sequence[PassageText]) -> str:
    """The report's body: a summary, a section a question, what is missing, and the passages that it cites.

    Citations are numbered through the whole report, one number a passage.
    """
    numbers: dict[str, int] = {}
    for answer in report.answers:
        for citation in answer.citations:
            numbers.setdefault(citation.passage_id, len(numbers) + 1)
    parts = [report.summary.strip()]
    parts += [_section(answer, numbers) for answer in report.answers]
    if report.missing:
        parts.append("## What is missing\n\n" + "\n".join(f"- {sentence}" for sentence in report.missing))
    if numbers:
        parts.append("## Sources\n\n" + _sources(numbers, passages))
    return "\n\n".join(part for part in parts if part)


def _section(answer: Answer, numbers: dict[str, int]) -> str:
    own = {citation.number: numbers[citation.passage_id] for citation in answer.citations}

    def renumbered(match: re.Match[str]) -> str:
        number = own.get(int(match.group(1)))
        return f"[{number}]" if number else match.group(0)

    text = CITATION.sub(renumbered, answer.text.strip())
    missing = f"\n\n*Not in the sources: {answer.missing.strip()}*" if answer.missing.strip() else ""
    return f"## {answer.question}\n\n{text}{missing}"


def _sources(numbers: dict[str, int], passages: Sequence[PassageText]) -> str:
    known = {passage.passage_id: passage for passage in passages}
    lines = []
    for passage_id, number in numbers.items():
        passage = known.get(passage_id)
        if passage is None:
            continue
        place = f", page {passage.page}" if passage.page else ""
        heading = f", {passage.heading}" if passage.heading else ""
        lines.append(f"{number}. {passage.source}{place}{heading}")
    return "\n".join(lines)
