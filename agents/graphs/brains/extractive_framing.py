"""The extractive architect's thinking: which questions a domain can answer."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from agents.graphs.brains import extractive_headings as headings
from agents.graphs.brains.chat_reading import keys
from agents.graphs.brains.extractive_clusters import Vectors
from agents.graphs.brains.extractive_phrases import key_phrases, prose
from agents.graphs.brains.extractive_planning import FOREIGN, answer_strength, grouped, in_context, path_of, top
from agents.graphs.brains.extractive_questions import asked as questions_of
from agents.graphs.brains.extractive_questions import names_subject
from agents.graphs.brains.extractive_relevance import ANSWERS, topic
from agents.graphs.findings import Domain, PassageText, Question
from agents.prose.sentences import sentences

Embed = Callable[[Sequence[str]], Vectors]

PASSAGES_OF_QUESTION = 8
MOST_OFFERED = 2  # questions of its own that an architect adds to those that the objective asks
MOST_PHRASE_GROUPS = 4  # of text without headings

_BEARS = 0.7  # of the best section's likeness to the objective: less does not bear on it
_REPEATS = 0.65  # cosine of two questions that ask the same
_NAMES = 0.25  # cosine from which a heading says what stands under it


class _Section(NamedTuple):
    """Passages under one heading, by place, and the question that it answers."""

    question: str
    places: list[int]


def split(
    objective: str, domain: Domain, passages: Sequence[PassageText], *, most: int, embed: Embed
) -> list[Question]:
    """Questions: those of the objective that fall to the domain, then those that its sections answer."""
    asked = [domain.focus[start:end] for start, end in sentences(domain.focus) if domain.focus[:end].endswith("?")]
    if not passages:
        return _numbered(asked[:most] or _asked_at_least(objective, domain), [[]], domain)
    vectors = embed([in_context(passage) for passage in passages])
    subject = objective if names_subject(objective) else domain.title
    near = (vectors @ embed([subject, *map(topic, asked)]).T).max(axis=1).astype(np.float64)
    is_foreign = bool(asked) and float(near.max()) <= FOREIGN
    sections = [] if is_foreign else _sections(passages, vectors, embed)
    offered = [top(near[section.places]) for section in sections]
    order = sorted(range(len(sections)), key=lambda place: (-offered[place], place))
    bears = _BEARS * offered[order[0]] if order and names_subject(objective) else -1.0
    worth = [sections[place] for place in order if offered[place] >= bears]
    chosen = _different(asked, worth, most, passages, embed)
    texts = [text for text, _ in chosen] or _asked_at_least(objective, domain)
    return _numbered(texts, _passages_of(texts, dict(chosen), passages, vectors, embed), domain)


def _asked_at_least(objective: str, domain: Domain) -> list[str]:
    return questions_of(objective)[:1] or [headings.about([domain.title])]


def _sections(passages: Sequence[PassageText], vectors: Vectors, embed: Embed) -> list[_Section]:
    """The passages by what they stand under, each with the question that it answers.

    A heading that is far from what stands under it is a figure of speech: then phrases of the text name it.
    """
    places: dict[tuple[str, ...], list[int]] = {}
    bare: list[int] = []
    titles = _document_titles(passages)
    for place, passage in enumerate(passages):
        if passage.heading:
            places.setdefault(tuple(path_of(passage)), []).append(place)
        else:
            bare.append(place)
    names = headings.names_in([passage.text for passage in passages])
    found = [_Section(_offered(path, titles, names), own) for path, own in places.items()]
    spoken = embed([topic(section.question) for section in found])
    near = [float((vectors[section.places] @ words).max()) for section, words in zip(found, spoken, strict=True)]
    bare_groups = grouped(vectors[bare], bare, MOST_PHRASE_GROUPS) if bare else []
    unnamed = [*(section.places for section, cosine in zip(found, near, strict=True) if cosine < _NAMES), *bare_groups]
    named = [section for section, cosine in zip(found, near, strict=True) if cosine >= _NAMES and section.question]
    return named + [section for group in unnamed if (section := _by_phrases(group, passages)).question]


def _by_phrases(group: Sequence[int], passages: Sequence[PassageText]) -> _Section:
    """A section whose question names what its texts have and the others have not."""
    others = [prose(passage.text) for place, passage in enumerate(passages) if place not in group]
    phrases = key_phrases([prose(passages[place].text) for place in group], others, most=2)
    return _Section(headings.about(phrases) if phrases else "", list(group))


def _document_titles(passages: Sequence[PassageText]) -> set[tuple[str, ...]]:
    """Paths of headings under which all else of their source stands."""
    paths: dict[str, list[list[str]]] = {}
    for passage in passages:
        paths.setdefault(passage.source_id, []).append(path_of(passage))
    return {
        tuple(own[0][:length])
        for own in paths.values()
        for length in (1, 2)
        if len({tuple(path[:length]) for path in own}) == 1 and any(len(path) > length for path in own)
    }


def _offered(path: tuple[str, ...], titles: set[tuple[str, ...]], names: frozenset[str]) -> str:
    """The question that a section answers, by its path."""
    if path in titles:
        return headings.introduced(path[-1], names)
    return headings.offered(path[-1], path[-2] if len(path) > 1 else "", names)


def _different(
    asked: Sequence[str], sections: Sequence[_Section], most: int, passages: Sequence[PassageText], embed: Embed
) -> list[tuple[str, list[int]]]:
    """The asked questions, and offered ones that repeat none and that their own sections answer, with these."""
    options = [*((question, []) for question in asked), *((section.question, section.places) for section in sections)]
    vectors = embed([topic(question) for question, _ in options])
    chosen: list[int] = list(range(min(len(asked), most)))
    room = min(most, len(asked) + MOST_OFFERED) if asked else most
    for place in range(len(asked), len(options)):
        if len(chosen) >= room:
            break
        repeats = any(float(vectors[place] @ vectors[other]) >= _REPEATS for other in chosen)
        section = [passages[own] for own in options[place][1][:PASSAGES_OF_QUESTION]]
        if not repeats and answer_strength(options[place][0], section, embed) >= ANSWERS:
            chosen.append(place)
    return [options[place] for place in chosen]


def _passages_of(
    texts: Sequence[str],
    sections: dict[str, list[int]],
    passages: Sequence[PassageText],
    vectors: Vectors,
    embed: Embed,
) -> list[list[str]]:
    """For each question the ids of its section's passages, then of the nearest others."""
    near = vectors @ embed([topic(text) for text in texts]).T
    found = []
    for number, text in enumerate(texts):
        own = sections.get(text, [])
        order = [*own, *(int(place) for place in np.argsort(-near[:, number], kind="stable"))]
        found.append([passages[place].passage_id for place in dict.fromkeys(order)][:PASSAGES_OF_QUESTION])
    return found


def _numbered(texts: Sequence[str], ids: Sequence[Sequence[str]], domain: Domain) -> list[Question]:
    filled = [*ids, *([[]] * len(texts))]
    return [
        Question(key=key, text=text, domain=domain.key, passage_ids=tuple(own))
        for key, text, own in zip(keys(texts), texts, filled, strict=False)
    ]
