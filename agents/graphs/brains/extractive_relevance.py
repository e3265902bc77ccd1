"""How well statements answer a question, and which of them to take so that none repeats another."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from math import log
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from agents.graphs.brains.extractive_phrases import content_words, heading_parts, stem, stems
from agents.graphs.brains.extractive_statements import Statement
from agents.graphs.findings import PassageText

Vectors = NDArray[np.float32]
Scores = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Vectors]

# Of a statement's relevance: its own meaning, that of its passage, and the question's words in it.
OWN, PASSAGE, WORDS = 0.65, 0.15, 0.2

SAME = 0.88  # cosine from which two statements say the same
_ALIKE = 0.55  # cosine from which a further statement adds less
_REPEATS = 0.8  # how much less

_BOILERPLATE = re.compile(
    r"what (?:do the sources say|else is to be known|is said) about |what does (?=.+ involve\?)|how does one "
    r"|what are the main points of ",
    re.IGNORECASE,
)


def topic(question: str) -> str:
    """What a question is about, without the words that any question has."""
    return _BOILERPLATE.sub("", question).removesuffix(" involve?").rstrip("?. ") or question


def in_context(statement: Statement) -> str:
    """A statement with the heading that it stands under, by which it is understood."""
    parts = heading_parts(statement.passage.heading)
    return f"{parts[-1]}: {statement.text}" if parts else statement.text


def relevance(question: str, statements: Sequence[Statement], embed: Embed) -> tuple[Scores, Vectors]:
    """How well each statement answers, 0 to 1, and the statements' vectors."""
    about = topic(question)
    bare = _without_names(about, statements)
    passages = {statement.passage.passage_id: statement.passage for statement in statements}
    texts = [in_context(statement) for statement in statements]
    around = [
        f"{passage.heading}\n{passage.text}" if passage.heading else passage.text for passage in passages.values()
    ]
    vectors = embed([about, bare, *texts, *around])
    asked, own, context = vectors[0], vectors[2 : len(texts) + 2], vectors[len(texts) + 2 :]
    meaning = (own @ vectors[:2].T).max(axis=1)
    near = dict(zip(passages, context @ asked, strict=True))
    passage_scores = np.array([near[statement.passage.passage_id] for statement in statements])
    shared = shared_words(bare, texts)
    scores = OWN * np.maximum(meaning, 0) + PASSAGE * np.maximum(passage_scores, 0) + WORDS * shared
    quality = np.array([statement.quality for statement in statements])
    return np.clip(scores * np.sqrt(quality), 0, 1), own


def _without_names(question: str, statements: Sequence[Statement]) -> str:
    """The question without names of what the sources are about as a whole, as these never say it of themselves.

    A name has a capital inside the question and stands in a source's name or first heading.
    """
    tops = {part.lower() for statement in statements for part in _tops(statement.passage)}
    first, *others = question.split() or [""]
    kept = [word for word in others if not (word[:1].isupper() and word.strip(".,;:'\"").lower() in tops)]
    return " ".join([first, *kept]) if len(content_words(" ".join(kept))) > 1 else question


def _tops(passage: PassageText) -> list[str]:
    """The words of a passage's source name and first heading."""
    return re.findall(r"\w+", " ".join([PurePath(passage.source).stem, *heading_parts(passage.heading)[:1]]))


def shared_words(question: str, texts: Sequence[str]) -> Scores:
    """Which part of the question's words each text has; rare words count more."""
    wanted = {stem(word) for word in content_words(question)}
    found = [stems(text) for text in texts]
    spread = Counter(word for text in found for word in text & wanted)
    weights = {word: log(1 + len(texts) / (1 + spread[word])) for word in wanted}
    total = sum(weights.values())
    if not total:
        return np.zeros(len(texts))
    return np.array([sum(weights[word] for word in text & wanted) / total for text in found])


def choose(scores: Scores, vectors: Vectors, *, most: int, least: float) -> list[int]:
    """Up to `most` places with a score of at least `least`, best first, each adding to the ones before.

    Maximal marginal relevance (Carbonell and Goldstein 1998): what resembles a chosen one loses, what says the
    same as one is left out.
    """
    likeness = vectors @ vectors.T
    chosen: list[int] = []
    open_places = [place for place in range(len(scores)) if scores[place] >= least]
    while open_places and len(chosen) < most:
        nearest = {
            place: max((float(likeness[place, other]) for other in chosen), default=0.0) for place in open_places
        }
        gains = {place: scores[place] - _REPEATS * max(nearest[place] - _ALIKE, 0) for place in open_places}
        best = max(open_places, key=lambda place: (gains[place], -place))
        if gains[best] < least:
            break
        chosen.append(best)
        open_places = [place for place in open_places if place != best and likeness[place, best] < SAME]
    return chosen
