"""The extractive specialist's and worker's thinking: which passages to read together, and what they say."""

from collections.abc import Callable, Sequence

import numpy as np

from agents.graphs.brains.chat_reading import keys, line
from agents.graphs.brains.extractive_clusters import Vectors
from agents.graphs.brains.extractive_phrases import content_words, heading_parts
from agents.graphs.brains.extractive_planning import in_context
from agents.graphs.brains.extractive_relevance import TOUCHES, choose, relevance, topic
from agents.graphs.brains.extractive_statements import statements
from agents.graphs.findings import Finding, PassageText, Question, WorkItem

Embed = Callable[[Sequence[str]], Vectors]

PASSAGES_OF_ITEM = 6
ENOUGH_PASSAGES = 4
MOST_FINDINGS = 6
LONGEST_TITLE = 80  # characters

_NEAR = 0.6  # of the nearest passage's cosine: less is not worth reading
_AS_GOOD = 0.55  # of the best statement's relevance


def analyse(question: Question, passages: Sequence[PassageText], *, most: int, embed: Embed) -> list[WorkItem]:
    """Pieces of work: the passages near the question, those of one source together."""
    near = _nearest(question.text, passages, embed)
    batches = _batches(near, most)
    titles = [_title(batch) for batch in batches] or ["A search of all sources"]
    query = " ".join(content_words(topic(question.text)))
    wider = (query,) if len(near) < ENOUGH_PASSAGES and query else ()
    return [
        WorkItem(
            key=key,
            title=title,
            question=question.text,
            queries=wider if number == 0 else (),
            passage_ids=tuple(passage.passage_id for passage in batch),
        )
        for number, (key, title, batch) in enumerate(zip(keys(titles), titles, batches or [[]], strict=True))
    ]


def _nearest(question: str, passages: Sequence[PassageText], embed: Embed) -> list[PassageText]:
    """The passages that are worth reading for a question, nearest first."""
    if not passages:
        return []
    asked, *_ = embed([topic(question)])
    near = embed([in_context(passage) for passage in passages]) @ asked
    order = [int(place) for place in np.argsort(-near, kind="stable")]
    return [passages[place] for place in order if near[place] >= _NEAR * near[order[0]]]


def _batches(near: Sequence[PassageText], most: int) -> list[list[PassageText]]:
    """Up to `most` batches: a source's passages stay together, small rests are read with others."""
    kept = near[: most * PASSAGES_OF_ITEM]
    by_source: dict[str, list[PassageText]] = {}
    for passage in kept:
        by_source.setdefault(passage.source_id, []).append(passage)
    pieces = [
        own[start : start + PASSAGES_OF_ITEM]
        for own in by_source.values()
        for start in range(0, len(own), PASSAGES_OF_ITEM)
    ]
    pieces.sort(key=len, reverse=True)
    while len(pieces) > most or (len(pieces) > 1 and len(pieces[-1]) + len(pieces[-2]) <= PASSAGES_OF_ITEM):
        *pieces, fewer, fewest = pieces
        pieces = sorted([*pieces, [*fewer, *fewest]], key=len, reverse=True)
    return pieces


def _title(batch: Sequence[PassageText]) -> str:
    """What a batch is, in words: its source and the section that its best passage stands in."""
    names = list(dict.fromkeys(passage.source for passage in batch))
    if len(names) > 1:
        return line(f"{names[0]} and {len(names) - 1} more", LONGEST_TITLE)
    parts = heading_parts(batch[0].heading)
    return line(f"{names[0]}: {parts[-1]}" if parts else names[0], LONGEST_TITLE)


def extract(question: str, passages: Sequence[PassageText], *, embed: Embed) -> list[Finding]:
    """The statements that bear on the question, best first, none that repeats another."""
    found = statements(passages)
    if not found:
        return []
    scores, vectors = relevance(question, found, embed)
    least = max(TOUCHES, _AS_GOOD * float(scores.max()))
    quotes = [(statement.passage.passage_id, statement.quote) for statement in found]
    return [
        Finding(
            statement=found[place].text,
            passage_id=found[place].passage.passage_id,
            quote=found[place].quote,
            relevance=round(float(scores[place]), 4),
        )
        for place in choose(scores, vectors, quotes, most=MOST_FINDINGS, least=least)
    ]
