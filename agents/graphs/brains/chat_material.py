"""What a chat model is shown: a bounded choice of the sources, of findings, of answers, as plain data."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from agents.graphs.brains.chat_prompts import head, tokens
from agents.graphs.brains.chat_reading import TEXT_LENGTH, TITLE_LENGTH, line
from agents.graphs.findings import Answer, Finding, PassageText, Reading, SourceOutline

CONTEXT = 8_000  # tokens of texts in one call
ORIGIN = 40  # tokens for where a text comes from
OPENING = 70 + ORIGIN  # tokens of a passage below which an overview takes fewer passages instead
SHORTEST = 100  # tokens of an answer below which fewer are shown instead
MOST_HEADINGS = 120  # of all sources together


def overview(passages: Sequence[PassageText]) -> list[PassageText]:
    """The openings of passages spread evenly over `passages`, CONTEXT tokens in all."""
    count = min(len(passages), CONTEXT // OPENING)
    longest = CONTEXT // max(count, 1) - ORIGIN
    chosen = (passages[index * len(passages) // count] for index in range(count))
    return [passage.model_copy(update={"text": head(passage.text, longest)}) for passage in chosen]


def batches(passages: Sequence[PassageText]) -> Iterator[list[PassageText]]:
    """All of `passages`, the best score first, in lists of up to CONTEXT tokens."""
    batch: list[PassageText] = []
    room = CONTEXT
    for passage in sorted(passages, key=lambda each: -each.score):
        length = weight(passage)
        if batch and length > room:
            yield batch
            batch, room = [], CONTEXT
        batch.append(passage)
        room -= length
    if batch:
        yield batch


def weight(passage: PassageText) -> int:
    """The tokens of a passage in a prompt."""
    return min(tokens(passage.text), CONTEXT) + ORIGIN


def best(passages: Sequence[PassageText]) -> list[PassageText]:
    """The passages with the best scores, up to CONTEXT tokens."""
    return next(batches(passages), [])


def most_relevant(findings: Sequence[Finding]) -> list[Finding]:
    """The most relevant findings, best first, as many as the context holds."""
    shown: list[Finding] = []
    room = CONTEXT
    for finding in sorted(findings, key=lambda each: -each.relevance):
        room -= tokens(finding.statement) + tokens(finding.quote) + ORIGIN
        if shown and room < 0:
            break
        shown.append(finding)
    return shown


def names(passages: Sequence[PassageText], shown: Sequence[PassageText]) -> list[str]:
    """What those of the passages are called that are not shown, once each."""
    known = {passage.passage_id for passage in shown}
    others = (passage for passage in passages if passage.passage_id not in known)
    return list(dict.fromkeys(line(f"{each.source} {each.heading}", TITLE_LENGTH) for each in others))


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
        {"passage": number, **_origin(passage), "text": head(passage.text, CONTEXT)}
        for number, passage in enumerate(passages, start=1)
    ]


def of_readings(readings: Sequence[Reading], shown: Sequence[PassageText]) -> list[dict[str, object]]:
    """The tasks, counted from 1, each with the numbers of its passages."""
    numbers = {passage.passage_id: number for number, passage in enumerate(shown, start=1)}
    return [
        {
            "task": place,
            "question": line(reading.question, TEXT_LENGTH),
            "passages": [numbers[passage.passage_id] for passage in reading.passages],
        }
        for place, reading in enumerate(readings, start=1)
    ]


def of_one_call(readings: Sequence[Reading]) -> Iterator[list[int]]:
    """The places of readings in lists whose passages, each shown once, fit into one call."""
    batch: list[int] = []
    known: dict[str, int] = {}
    for place, reading in enumerate(readings):
        joined = known | {passage.passage_id: weight(passage) for passage in reading.passages}
        if batch and sum(joined.values()) + ORIGIN * len(batch) > CONTEXT:
            yield batch
            batch, joined = [], {passage.passage_id: weight(passage) for passage in reading.passages}
        batch.append(place)
        known = joined
    if batch:
        yield batch


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


def of_answers(answers: Sequence[Answer], whole: Collection[int] = ()) -> list[dict[str, object]]:
    """The answers with their quotes, counted from 1, each cut to its share of the context.

    Those whose numbers are in `whole` come first, in full. One that is cut says so.
    """
    wanted = [number for number in range(1, len(answers) + 1) if number in whole]
    others = [number for number in range(1, len(answers) + 1) if number not in whole]
    first = [_answer(number, answers[number - 1], CONTEXT // (2 * len(wanted))) for number in wanted]
    share = max((CONTEXT // (2 if wanted else 1)) // max(len(others), 1), SHORTEST)
    return first + [_answer(number, answers[number - 1], share) for number in others]


def _answer(number: int, answer: Answer, share: int) -> dict[str, object]:
    """One answer with at most about `share` tokens."""
    characters = 3 * share
    full: dict[str, object] = {
        "question": line(answer.question, TEXT_LENGTH),
        "text": " ".join(answer.text.split()),
        "quotes": {str(citation.number): " ".join(citation.quote.split()) for citation in answer.citations},
        "missing": line(answer.missing, TEXT_LENGTH),
    }
    if tokens(json.dumps(full, ensure_ascii=False)) <= share:
        return {"answer": number, **full}
    return {
        "answer": number,
        "question": line(answer.question, characters // 8),
        "text": head(line(answer.text, characters // 2), share // 2),
        "quotes": _quotes(answer, characters // 4),
        "missing": line(answer.missing, characters // 8),
        "shortened": True,
    }


def _quotes(answer: Answer, characters: int) -> dict[str, str]:
    longest = characters // max(len(answer.citations), 1)
    if longest < OPENING:
        return {}
    return {str(citation.number): line(citation.quote, longest) for citation in answer.citations}
