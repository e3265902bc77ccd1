"""The extractive queen's and architect's thinking: what belongs together, what it is called, what to ask of it."""

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from agents.graphs.brains import extractive_questions as questions
from agents.graphs.brains.chat_reading import keys, line
from agents.graphs.brains.extractive_clusters import Vectors, cluster
from agents.graphs.brains.extractive_phrases import best_headings, heading_parts, key_phrases, prose
from agents.graphs.brains.extractive_relevance import Scores, topic
from agents.graphs.findings import Domain, PassageText, Plan, Question, SourceOutline
from agents.prose.sentences import sentences

Embed = Callable[[Sequence[str]], Vectors]

FEWEST_TO_SPLIT = 10  # passages; fewer are one domain
PASSAGES_OF_DOMAIN = 5  # at least, on average
PASSAGES_OF_QUESTION = 8
LONGEST_TITLE = 60  # characters

# parts of the best likeness to the objective, below which something does not bear on it
_PASSAGE_BEARS = 0.5
_SECTION_BEARS = 0.7
_ASKED_ALREADY = 0.75  # cosine of two questions that ask the same
_MOST_OFFERED = 2  # questions of its own that an architect adds to those that the objective asks


class _Section(NamedTuple):
    """Passages under one heading, by place, and the question that it answers."""

    question: str
    places: list[int]


def in_context(passage: PassageText) -> str:
    """A passage with its headings, as it is embedded for searching."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def plan(
    objective: str, sources: Sequence[SourceOutline], passages: Sequence[PassageText], *, most: int, embed: Embed
) -> Plan:
    """Domains: groups of the passages that bear on the objective, the nearest first."""
    asked = questions.asked(objective)
    if not passages:
        title = line(objective, LONGEST_TITLE)
        empty = Domain(key=keys([title])[0], title=title, focus=" ".join(asked))
        return Plan(approach="The sources hold nothing that can be read.", domains=(empty,))
    vectors = embed([in_context(passage) for passage in passages])
    near = (vectors @ embed([objective, *map(topic, asked)]).T).astype(np.float64)
    best = near.max(axis=1)
    kept = _bearing(best)
    groups = _grouped(vectors[kept], kept, most)
    groups.sort(key=lambda group: (-_top(best[group]), group[0]))
    titles = _titles([[passages[place] for place in group] for group in groups])
    focus = _assigned(asked, near[:, 1:], groups)
    domains = tuple(
        _domain(key, title, asks, [passages[place] for place in sorted(group, key=lambda place: (-best[place], place))])
        for key, title, asks, group in zip(keys(titles), titles, focus, groups, strict=True)
    )
    return Plan(approach=_approach(len(sources), len(passages), len(kept), titles), domains=domains)


def _bearing(best: Scores) -> list[int]:
    """Places of the passages that bear on the objective; a vague objective keeps nearly all."""
    order = np.argsort(-best, kind="stable")
    usual = float(best[order[:10]].mean())
    enough = max(int((best >= _PASSAGE_BEARS * usual).sum()), min(FEWEST_TO_SPLIT, len(best)))
    return sorted(int(place) for place in order[:enough])


def _grouped(vectors: Vectors, places: Sequence[int], most: int) -> list[list[int]]:
    """The places in groups of what belongs together."""
    count = len(places)
    number = min(most, count // PASSAGES_OF_DOMAIN) if count >= FEWEST_TO_SPLIT else 1
    labels = cluster(vectors, fewest=min(2, number), most=number)
    groups: list[list[int]] = [[] for _ in range(int(labels.max()) + 1)]
    for place, label in zip(places, labels, strict=True):
        groups[int(label)].append(place)
    return groups


def _top(scores: Scores) -> float:
    """The mean of the best three."""
    return float(np.sort(scores)[-3:].mean())


def _assigned(asked: Sequence[str], near: Scores, groups: Sequence[Sequence[int]]) -> list[list[str]]:
    """For each group the questions of the objective that it answers best."""
    assigned: list[list[str]] = [[] for _ in groups]
    for number, question in enumerate(asked):
        scores = [_top(near[list(group), number]) for group in groups]
        assigned[int(np.argmax(scores))].append(question)
    return assigned


def _titles(groups: Sequence[Sequence[PassageText]]) -> list[str]:
    """A name for each group: a heading that is of much of it and of little else, or its key phrases."""
    everything = [passage for group in groups for passage in group]
    titles: list[str] = []
    for number, group in enumerate(groups):
        others = [passage for place, other in enumerate(groups) if place != number for passage in other]
        offers = [_placed(heading, group) for heading in best_headings(group, everything, most=6)]
        phrases = key_phrases([prose(one.text) for one in group], [prose(one.text) for one in others], most=2)
        offers += [" and ".join(phrases)] if phrases else []
        offers += [f"{PurePath(group[0].source).stem} {number + 1}"]
        fresh = (line(offer, LONGEST_TITLE) for offer in offers if offer)
        titles.append(next(offer for offer in fresh if offer not in titles))
    return [title[0].upper() + title[1:] for title in titles]


def _placed(heading: str, group: Sequence[PassageText]) -> str:
    """The heading; one that says nothing alone with the one above it."""
    if not questions.is_generic(heading):
        return heading
    for passage in group:
        parts = _path(passage)
        if heading in parts[1:]:
            return f"{parts[parts.index(heading) - 1]}: {heading.lower()}"
    return ""


def _path(passage: PassageText) -> list[str]:
    """The headings above a passage, with the source's name at the top where it is one."""
    stem = PurePath(passage.source).stem
    named = [] if stem.lower() in {"readme", "index", "license", "changelog", "metadata", "unnamed"} else [stem]
    parts = heading_parts(passage.heading)
    return parts if parts[:1] and named and parts[0].lower() == named[0].lower() else [*named, *parts]


def _domain(key: str, title: str, asked: Sequence[str], group: Sequence[PassageText]) -> Domain:
    return Domain(
        key=key,
        title=title,
        focus=" ".join(asked) or f"What “{title}” adds to the objective.",
        source_ids=tuple(dict.fromkeys(passage.source_id for passage in group)),
        passage_ids=tuple(passage.passage_id for passage in group),
    )


def _approach(sources: int, passages: int, kept: int, titles: Sequence[str]) -> str:
    read = f"{kept} of {passages} passages in {sources} {'source bears' if sources == 1 else 'sources bear'} on this"
    if len(titles) == 1:
        return f"{read[0].upper()}{read[1:]}; they belong together, so one architect takes them: {titles[0]}."
    named = ", ".join(titles[:-1]) + f" and {titles[-1]}"
    return f"{read[0].upper()}{read[1:]}. By what belongs together they are {len(titles)} domains: {named}."


def split(
    objective: str, domain: Domain, passages: Sequence[PassageText], *, most: int, embed: Embed
) -> list[Question]:
    """Questions: those of the objective that fall to the domain, then those that its sections answer."""
    asked = [domain.focus[start:end] for start, end in sentences(domain.focus) if domain.focus[:end].endswith("?")]
    if not passages:
        return _numbered(asked[:most] or questions.asked(objective)[:1], [[]], domain)
    vectors = embed([in_context(passage) for passage in passages])
    wanted = embed([objective, *map(topic, asked)])
    sections = _sections(passages, vectors)
    near = (vectors @ wanted.T).max(axis=1).astype(np.float64)
    offered = [_top(near[section.places]) for section in sections]
    order = sorted(range(len(sections)), key=lambda place: (-offered[place], place))
    worth = [sections[place] for place in order if offered[place] >= _SECTION_BEARS * offered[order[0]]]
    chosen = _different(asked, worth, most, embed)
    texts = [text for text, _ in chosen] or questions.asked(objective)[:1]
    return _numbered(texts, _passages_of(texts, dict(chosen), passages, vectors, embed), domain)


def _sections(passages: Sequence[PassageText], vectors: Vectors) -> list[_Section]:
    """The passages by what they stand under; those without headings in groups named by their phrases."""
    places: dict[tuple[str, ...], list[int]] = {}
    bare: list[int] = []
    for place, passage in enumerate(passages):
        if passage.heading:
            places.setdefault(tuple(_path(passage)[-2:]), []).append(place)
        else:
            bare.append(place)
    found = [
        _Section(questions.offered(path[-1], path[-2] if len(path) > 1 else ""), own) for path, own in places.items()
    ]
    for group in _grouped(vectors[bare], bare, 4) if bare else []:
        own = [prose(passages[place].text) for place in group]
        others = [prose(passages[place].text) for place in bare if place not in group]
        phrases = key_phrases(own, others, most=2)
        if phrases:
            found.append(_Section(questions.about(phrases), group))
    return [section for section in found if section.question]


def _different(
    asked: Sequence[str], sections: Sequence[_Section], most: int, embed: Embed
) -> list[tuple[str, list[int]]]:
    """The asked questions and as many offered ones as are no repetition, each with the places of its section."""
    options = [*((question, []) for question in asked), *((section.question, section.places) for section in sections)]
    if not options:
        return []
    vectors = embed([topic(question) for question, _ in options])
    chosen: list[int] = []
    for place in range(len(options)):
        repeats = any(float(vectors[place] @ vectors[other]) >= _ASKED_ALREADY for other in chosen)
        room = most if place < len(asked) or not asked else min(most, len(asked) + _MOST_OFFERED)
        if len(chosen) < room and not (place >= len(asked) and repeats):
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
