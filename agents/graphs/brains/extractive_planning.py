"""The extractive queen's and architect's thinking: what belongs together, what it is called, what to ask of it."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from agents.graphs.brains import extractive_questions as questions
from agents.graphs.brains.chat_reading import keys, line
from agents.graphs.brains.extractive_clusters import Vectors, cluster
from agents.graphs.brains.extractive_phrases import best_headings, heading_parts, key_phrases, prose
from agents.graphs.brains.extractive_relevance import ANSWERS, Scores, relevance, topic
from agents.graphs.brains.extractive_statements import statements
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
_READ_TO_ASSIGN = 4  # passages of each group
_NAMES = 0.25  # cosine from which a heading says what stands under it
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
    groups = _whole_sections(_grouped(vectors[kept], kept, most), passages)
    groups.sort(key=lambda group: (-_top(best[group]), group[0]))
    titles = _titles([[passages[place] for place in group] for group in groups], objective, embed)
    focus = _assigned(asked, groups, near[:, 1:], passages, embed)
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


def _whole_sections(groups: Sequence[Sequence[int]], passages: Sequence[PassageText]) -> list[list[int]]:
    """The groups with each section's passages together, where most of them are; empty ones are left out."""
    votes: dict[tuple[str, str], Counter[int]] = {}
    for number, group in enumerate(groups):
        for place in group:
            votes.setdefault(_section_of(passages[place]), Counter())[number] += 1
    moved: list[list[int]] = [[] for _ in groups]
    for place in sorted(place for group in groups for place in group):
        section = _section_of(passages[place])
        of_its_own = not section[1]  # no heading: nothing says that it belongs with its neighbours
        own = next(number for number, group in enumerate(groups) if place in group)
        moved[own if of_its_own else votes[section].most_common(1)[0][0]].append(place)
    return [group for group in moved if group]


def _section_of(passage: PassageText) -> tuple[str, str]:
    return passage.source_id, passage.heading


def _top(scores: Scores) -> float:
    """The mean of the best three."""
    return float(np.sort(scores)[-3:].mean())


def _assigned(
    asked: Sequence[str],
    groups: Sequence[Sequence[int]],
    near: Scores,
    passages: Sequence[PassageText],
    embed: Embed,
) -> list[list[str]]:
    """For each group the questions of the objective that its nearest passages answer best."""
    assigned: list[list[str]] = [[] for _ in groups]
    for number, question in enumerate(asked):
        nearest = [sorted(group, key=lambda place: -near[place, number])[:_READ_TO_ASSIGN] for group in groups]
        fit = [_answer_strength(question, [passages[place] for place in places], embed) for places in nearest]
        assigned[int(np.argmax(fit))].append(question)
    return assigned


def _answer_strength(question: str, passages: Sequence[PassageText], embed: Embed) -> float:
    """The relevance of the best that the passages state to the question."""
    found = statements(passages)
    return float(relevance(question, found, embed)[0].max()) if found else 0.0


def _titles(groups: Sequence[Sequence[PassageText]], objective: str, embed: Embed) -> list[str]:
    """A name for each group: a heading of much of it, of little else and near to the objective, or key phrases."""
    everything = [passage for group in groups for passage in group]
    titles: list[str] = []
    for number, group in enumerate(groups):
        others = [passage for place, other in enumerate(groups) if place != number for passage in other]
        offers = [_placed(heading, group) for heading in _fitting(group, everything, objective, embed)]
        phrases = key_phrases([prose(one.text) for one in group], [prose(one.text) for one in others], most=2)
        offers += [" and ".join(phrases)] if phrases else []
        offers += [f"{PurePath(group[0].source).stem} {number + 1}"]
        fresh = (line(offer, LONGEST_TITLE) for offer in offers if offer)
        titles.append(next(offer for offer in fresh if offer not in titles))
    return [title[0].upper() + title[1:] for title in map(questions.calm, titles)]


def _fitting(
    group: Sequence[PassageText], everything: Sequence[PassageText], objective: str, embed: Embed
) -> list[str]:
    """Headings that name the group, those first that are also near to the objective."""
    weights = best_headings(group, everything, most=8)
    asked, *named = embed([topic(objective), *weights])
    fit = {
        heading: weights[heading] * (0.4 + float(vector @ asked))
        for heading, vector in zip(weights, named, strict=True)
    }
    return sorted(fit, key=lambda heading: (-fit[heading], heading))


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
    sections = _sections(passages, vectors, embed)
    near = (vectors @ wanted.T).max(axis=1).astype(np.float64)
    offered = [_top(near[section.places]) for section in sections]
    order = sorted(range(len(sections)), key=lambda place: (-offered[place], place))
    worth = [sections[place] for place in order if offered[place] >= _SECTION_BEARS * offered[order[0]]]
    chosen = _different(asked, worth, most, passages, embed)
    texts = [text for text, _ in chosen] or questions.asked(objective)[:1]
    return _numbered(texts, _passages_of(texts, dict(chosen), passages, vectors, embed), domain)


def _sections(passages: Sequence[PassageText], vectors: Vectors, embed: Embed) -> list[_Section]:
    """The passages by what they stand under, each with the question that it answers.

    A heading that is far from what stands under it is a figure of speech: then phrases of the text name it.
    """
    places: dict[tuple[str, ...], list[int]] = {}
    bare: list[int] = []
    titles = _document_titles(passages)
    for place, passage in enumerate(passages):
        if passage.heading:
            places.setdefault(tuple(_path(passage)), []).append(place)
        else:
            bare.append(place)
    found = [_Section(_offered(path, titles), own) for path, own in places.items()]
    spoken = embed([topic(section.question) for section in found])
    near = [float((vectors[section.places] @ words).max()) for section, words in zip(found, spoken, strict=True)]
    bare_groups = _grouped(vectors[bare], bare, 4) if bare else []
    unnamed = [*(section.places for section, cosine in zip(found, near, strict=True) if cosine < _NAMES), *bare_groups]
    named = [section for section, cosine in zip(found, near, strict=True) if cosine >= _NAMES and section.question]
    return named + [section for group in unnamed if (section := _by_phrases(group, passages)).question]


def _by_phrases(group: Sequence[int], passages: Sequence[PassageText]) -> _Section:
    """A section whose question names what its texts have and the others have not."""
    others = [prose(passage.text) for place, passage in enumerate(passages) if place not in group]
    phrases = key_phrases([prose(passages[place].text) for place in group], others, most=2)
    return _Section(questions.about(phrases) if phrases else "", list(group))


def _document_titles(passages: Sequence[PassageText]) -> set[tuple[str, ...]]:
    """Paths of headings under which all else of their source stands."""
    paths: dict[str, list[list[str]]] = {}
    for passage in passages:
        paths.setdefault(passage.source_id, []).append(_path(passage))
    return {
        tuple(own[0][:length])
        for own in paths.values()
        for length in (1, 2)
        if len({tuple(path[:length]) for path in own}) == 1 and any(len(path) > length for path in own)
    }


def _offered(path: tuple[str, ...], titles: set[tuple[str, ...]]) -> str:
    """The question that a section answers, by its path."""
    if path in titles:
        return questions.introduced(path[-1])
    return questions.offered(path[-1], path[-2] if len(path) > 1 else "")


def _different(
    asked: Sequence[str], sections: Sequence[_Section], most: int, passages: Sequence[PassageText], embed: Embed
) -> list[tuple[str, list[int]]]:
    """The asked questions, and offered ones that repeat none and that their own sections answer, with these."""
    options = [*((question, []) for question in asked), *((section.question, section.places) for section in sections)]
    vectors = embed([topic(question) for question, _ in options])
    chosen: list[int] = list(range(min(len(asked), most)))
    room = min(most, len(asked) + _MOST_OFFERED) if asked else most
    for place in range(len(asked), len(options)):
        if len(chosen) >= room:
            break
        repeats = any(float(vectors[place] @ vectors[other]) >= _ASKED_ALREADY for other in chosen)
        section = [passages[own] for own in options[place][1][:PASSAGES_OF_QUESTION]]
        if not repeats and _answer_strength(options[place][0], section, embed) >= ANSWERS:
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
