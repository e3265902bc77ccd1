"""How well statements answer a question, and which of them to take so that none repeats another."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from agents.graphs.brains.extractive_phrases import content_words, heading_parts, stems
from agents.graphs.brains.extractive_statements import Statement
from agents.graphs.findings import PassageText

Vectors = NDArray[np.float32]
Scores = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Vectors]

# Of a statement's relevance: its own meaning, that of its surroundings, and the question's words in it. For 96
# questions on 40 documents 84 answers held the right statement; with the heading put before each statement 75.
OWN, AROUND, WORDS = 0.48, 0.32, 0.2
FAULTY = 0.25  # what a statement of no quality loses

# The best statement on a subject that the sources do not have scored 0.29 at most; on 96 that they have, 94 did more.
TOUCHES = 0.28  # relevance from which a statement has to do with a question at all
ANSWERS = 0.33  # relevance from which it answers
SAME = 0.88  # cosine from which two statements say the same
_FULLER = 0.75  # of a statement's score: one with more around it is preferred from there on
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
    about = question if topic(question) == question.rstrip("?. ") else topic(question)
    passages = {statement.passage.passage_id: statement.passage for statement in statements}
    vectors = embed([about, *(statement.text for statement in statements), *map(_place, passages.values())])
    own = vectors[1 : len(statements) + 1]
    members = np.array([list(passages).index(statement.passage.passage_id) for statement in statements])
    around = _around(own, members, vectors[len(statements) + 1 :]) @ vectors[0]
    shared = shared_words(_without_names(about, statements), [in_context(statement) for statement in statements])
    scores = OWN * (own @ vectors[0]) + AROUND * around[members] + WORDS * shared
    quality = np.array([statement.quality for statement in statements])
    return _fuller(np.clip(scores - FAULTY * (1 - quality), 0, 1), statements), own


def _place(passage: PassageText) -> str:
    """Where a passage stands, in words."""
    return ". ".join(heading_parts(passage.heading)) or passage.source


def _around(own: Vectors, members: NDArray[np.intp], places: Vectors) -> Vectors:
    """For each passage the middle between the headings over it and the mean of what it states."""
    means = np.stack([own[members == number].mean(axis=0) for number in range(len(places))])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    middles = means + places
    around: Vectors = middles / np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-9)
    return around


def _fuller(scores: Scores, statements: Sequence[Statement]) -> Scores:
    """The scores, where a statement that holds another and is nearly as good answers as well as that one."""
    raised = scores.copy()
    for place, statement in enumerate(statements):
        inside = [
            scores[other]
            for other in range(max(place - 2, 0), min(place + 3, len(statements)))
            if statements[other].passage is statement.passage and statements[other].quote in statement.quote
        ]
        best = max(inside, default=0.0)
        if scores[place] >= _FULLER * best:
            raised[place] = best
    return raised


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
    """Which part of the question's words each text has. All count alike: readers of other texts must agree."""
    wanted = stems(question)
    if not wanted:
        return np.zeros(len(texts))
    return np.array([len(stems(text) & wanted) / len(wanted) for text in texts])


def choose(
    scores: Scores, vectors: Vectors, quotes: Sequence[tuple[str, str]], *, most: int, least: float
) -> list[int]:
    """Up to `most` places with a score of at least `least`, best first, each adding to the ones before.

    Maximal marginal relevance (Carbonell and Goldstein 1998): what resembles a chosen one loses, what says the
    same as one is left out. `quotes`, each with its passage, share no words.
    """
    likeness = vectors @ vectors.T
    chosen: list[int] = []
    left = _without_overlaps([place for place in range(len(scores)) if scores[place] >= least], scores, quotes)
    while left and len(chosen) < most:
        nearest = {place: max((float(likeness[place, other]) for other in chosen), default=0.0) for place in left}
        gains = {place: scores[place] - _REPEATS * max(nearest[place] - _ALIKE, 0) for place in left}
        best = max(left, key=lambda place: (gains[place], -place))
        if gains[best] < least:
            break
        chosen.append(best)
        left = [place for place in left if place != best and likeness[place, best] < SAME]
    return chosen


def _without_overlaps(places: Sequence[int], scores: Scores, quotes: Sequence[tuple[str, str]]) -> list[int]:
    """The places whose quotes share no words; of two the better, or the fuller if it is nearly as good."""
    kept: list[int] = []
    for place in sorted(places, key=lambda place: (-scores[place], place)):
        passage, quote = quotes[place]
        same = [other for other in kept if quotes[other][0] == passage]
        inside = [other for other in same if quotes[other][1] in quote]
        if inside and scores[place] >= _FULLER * scores[inside[0]]:
            kept = [other for other in kept if other not in inside] + [place]
        elif not inside and not any(quote in quotes[other][1] for other in same):
            kept.append(place)
    return kept
