"""What a chat model is shown: a bounded choice of the sources, of findings, of answers, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agents.graphs.brains.chat_reading import TITLE_LENGTH, line
from agents.graphs.findings import Answer, Finding, PassageText, SourceOutline

CONTEXT = 24_000  # characters of material in one call, about 6,000 tokens
OPENING = 200  # characters of a passage below which an overview takes fewer passages instead
MOST_HEADINGS = 120  # of all sources together


def overview(passages: Sequence[PassageText]) -> list[PassageText]:
    """The openings of passages spread evenly over `passages`, CONTEXT characters in all."""
    count = min(len(passages), CONTEXT // OPENING)
    longest = CONTEXT // max(count, 1)
    chosen = (passages[index * len(passages) // count] for index in range(count))
    return [passage.model_copy(update={"text": passage.text[:longest]}) for passage in chosen]


def batches(passages: Sequence[PassageText]) -> Iterator[list[PassageText]]:
    """All of `passages`, the best score first, in lists of up to CONTEXT characters."""
    batch: list[PassageText] = []
    room = CONTEXT
    for passage in sorted(passages, key=lambda each: -each.score):
        if batch and len(passage.text) > room:
            yield batch
            batch, room = [], CONTEXT
        batch.append(passage)
        room -= len(passage.text)
    if batch:
        yield batch


def best(passages: Sequence[PassageText]) -> list[PassageText]:
    """The passages with the best scores, up to CONTEXT characters."""
    return next(batches(passages), [])


def most_relevant(findings: Sequence[Finding]) -> list[Finding]:
    """The most relevant findings, best first, as many as the context holds."""
    shown: list[Finding] = []
    room = CONTEXT
    for finding in sorted(findings, key=lambda each: -each.relevance):
        room -= len(finding.statement) + len(finding.quote)
        if shown and room < 0:
            break
        shown.append(finding)
    return shown


def of_sources(sources: Sequence[SourceOutline]) -> list[dict[str, object]]:
    """The sources, counted from 1."""
    headings = MOST_HEADINGS // max(len(sources), 1)
    return [
        {
            "source": number,
            "name": line(source.name, TITLE_LENGTH),
            "words": source.words,
            "headings": [line(heading, TITLE_LENGTH) for heading in source.headings[:headings]],
        }
        for number, source in enumerate(sources, start=1)
    ]


def of_passages(passages: Sequence[PassageText]) -> list[dict[str, object]]:
    """The passages with where they come from, counted from 1."""
    return [
        {"passage": number, **_origin(passage), "text": passage.text[:CONTEXT]}
        for number, passage in enumerate(passages, start=1)
    ]


def _origin(passage: PassageText) -> dict[str, object]:
    page = {} if passage.page is None else {"page": passage.page}
    return {
        "from": line(passage.source, TITLE_LENGTH),
        "heading": line(passage.heading, TITLE_LENGTH),
        **page,
    }


def of_findings(findings: Sequence[Finding], passages: Sequence[PassageText]) -> list[dict[str, object]]:
    """The findings, counted from 1, with where they come from as far as `passages` tell."""
    by_id = {passage.passage_id: passage for passage in passages}
    return [
        {
            "finding": number,
            **(_origin(by_id[finding.passage_id]) if finding.passage_id in by_id else {}),
            "statement": finding.statement,
            "quote": finding.quote,
        }
        for number, finding in enumerate(findings, start=1)
    ]


def of_answers(answers: Sequence[Answer]) -> list[dict[str, object]]:
    """The answers with their quotes, counted from 1, each cut to its share of the context."""
    share = CONTEXT // len(answers)
    return [
        {
            "answer": number,
            "question": line(answer.question, share // 8),
            "text": line(answer.text, share // 2),
            "quotes": _quotes(answer, share // 4),
            "missing": line(answer.missing, share // 8),
        }
        for number, answer in enumerate(answers, start=1)
    ]


def _quotes(answer: Answer, characters: int) -> dict[str, str]:
    longest = characters // max(len(answer.citations), 1)
    return {str(citation.number): line(citation.quote, longest) for citation in answer.citations}
