"""The extractive queen's thinking: what bears on the objective, what belongs together, and what to call it."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath

import numpy as np

from agents.graphs.brains import extractive_headings as headings
from agents.graphs.brains.chat_reading import keys, line
from agents.graphs.brains.extractive_clusters import Labels, Vectors, cluster
from agents.graphs.brains.extractive_phrases import best_headings, content_words, heading_parts, key_phrases, prose
from agents.graphs.brains.extractive_questions import asked as questions_of
from agents.graphs.brains.extractive_relevance import Scores, relevance, topic
from agents.graphs.brains.extractive_statements import statements
from agents.graphs.findings import Domain, PassageText, Plan, SourceOutline

Embed = Callable[[Sequence[str]], Vectors]

FEWEST_TO_SPLIT = 10  # passages; fewer are one domain
PASSAGES_OF_DOMAIN = 5  # at least, on average
FEWEST_OF_DOMAIN = 3  # in any
SAME_SUBJECT = 0.28  # cosine of two groups' middles: 0.21 at most between subjects, 0.34 at least within one
LONGEST_TITLE = 60  # characters
LONGEST_FOCUS = 500
FOREIGN = 0.28  # cosine that no passage exceeded for 23 questions on subjects that the sources do not have

_BEARS = 0.5  # of the best passage's likeness to the objective: 61 of 64 passages that answered had more
_READ_TO_ASSIGN = 4  # passages of each group


def in_context(passage: PassageText) -> str:
    """A passage with its headings, as it is embedded for searching."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def plan(
    objective: str, sources: Sequence[SourceOutline], passages: Sequence[PassageText], *, most: int, embed: Embed
) -> Plan:
    """Domains: groups of the passages that bear on the objective, the nearest first."""
    asked = questions_of(objective)
    if not passages:
        title = line(objective, LONGEST_TITLE)
        empty = Domain(key=keys([title])[0], title=title, focus=" ".join(asked) or line(objective, LONGEST_FOCUS))
        return Plan(approach="The sources hold nothing that can be read.", domains=(empty,))
    vectors = embed([in_context(passage) for passage in passages])
    near = (vectors @ embed([objective, *map(topic, asked)]).T).astype(np.float64)
    best = near.max(axis=1)
    if asked and float(best.max()) <= FOREIGN:
        return _searched(asked, passages, best)
    kept = _bearing(near) if asked else list(range(len(passages)))
    groups = _large_enough(_whole_sections(grouped(vectors[kept], kept, most), passages), vectors)
    groups.sort(key=lambda group: (-top(best[group]), group[0]))
    titles = _titles([[passages[place] for place in group] for group in groups], objective, embed)
    focus = _assigned(asked, groups, near[:, 1:], passages, embed)
    domains = tuple(
        _domain(key, title, asks, [passages[place] for place in sorted(group, key=lambda place: (-best[place], place))])
        for key, title, asks, group in zip(keys(titles), titles, focus, groups, strict=True)
    )
    return Plan(approach=_approach(len(sources), len(passages), len(kept), titles), domains=domains)


def _searched(asked: Sequence[str], passages: Sequence[PassageText], best: Scores) -> Plan:
    """One domain that only asks: what is nearest to a foreign objective is not near."""
    title = line(asked[0].rstrip("?."), LONGEST_TITLE)
    nearest = [passages[int(place)] for place in np.argsort(-best, kind="stable")[:FEWEST_TO_SPLIT]]
    approach = "Nothing that I looked at comes near this. One architect searches the sources for it all the same."
    return Plan(approach=approach, domains=(_domain(keys([title])[0], title, asked, nearest),))


def _bearing(near: Scores) -> list[int]:
    """Places of the passages that bear on any of the questions, which are the columns; of few passages all."""
    bears = (near >= _BEARS * near.max(axis=0)).any(axis=1)
    best = near.max(axis=1)
    nearest = np.argsort(-best, kind="stable")[:FEWEST_TO_SPLIT]
    bears[nearest[best[nearest] > FOREIGN]] = True
    return [int(place) for place in np.flatnonzero(bears | (len(near) <= FEWEST_TO_SPLIT))]


def grouped(vectors: Vectors, places: Sequence[int], most: int) -> list[list[int]]:
    """The places in groups of what belongs together: as many as there are subjects, or as there is much to read."""
    count = len(places)
    number = min(most, count // PASSAGES_OF_DOMAIN) if count >= FEWEST_TO_SPLIT else 1
    options = (cluster(vectors, fewest=more, most=more) for more in range(min(most, count), number, -1))
    subjects = (labels for labels in options if _are_subjects(vectors, labels))
    labels = next(subjects, None)
    if labels is None:
        labels = cluster(vectors, fewest=min(2, number), most=number)
    groups: list[list[int]] = [[] for _ in range(int(labels.max()) + 1)]
    for place, label in zip(places, labels, strict=True):
        groups[int(label)].append(place)
    return groups


def _are_subjects(vectors: Vectors, labels: Labels) -> bool:
    """Is each group large enough to be one, and about something else than the others?"""
    names, sizes = np.unique(labels, return_counts=True)
    middles = np.stack([vectors[labels == name].mean(axis=0) for name in names])
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-9)
    between = middles @ middles.T - np.eye(len(names), dtype=np.float32)
    return bool(sizes.min() >= FEWEST_OF_DOMAIN and between.max() < SAME_SUBJECT)


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


def _large_enough(groups: list[list[int]], vectors: Vectors) -> list[list[int]]:
    """The groups, those too small for an architect of their own joined to the nearest."""
    while len(groups) > 1:
        smallest = min(groups, key=len)
        if len(smallest) >= FEWEST_OF_DOMAIN:
            break
        others = [group for group in groups if group is not smallest]
        middle = vectors[smallest].mean(axis=0)
        nearest = max(others, key=lambda group: float(vectors[group].mean(axis=0) @ middle))
        groups = [sorted([*group, *smallest]) if group is nearest else group for group in others]
    return groups


def _section_of(passage: PassageText) -> tuple[str, str]:
    return passage.source_id, passage.heading


def top(scores: Scores) -> float:
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
        fit = [answer_strength(question, [passages[place] for place in places], embed) for places in nearest]
        assigned[int(np.argmax(fit))].append(question)
    return assigned


def answer_strength(question: str, passages: Sequence[PassageText], embed: Embed) -> float:
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
        offers += [*_source_alone(group), *([" and ".join(phrases)] if phrases else [])]
        offers += [f"{PurePath(group[0].source).stem} {number + 1}"]
        fresh = (line(offer, LONGEST_TITLE) for offer in offers if offer)
        titles.append(next(offer for offer in fresh if offer not in titles))
    return [title[0].upper() + title[1:] for title in map(headings.calm, titles)]


def _source_alone(group: Sequence[PassageText]) -> list[str]:
    """The source's name where all are of one that has no headings."""
    sources = {passage.source for passage in group}
    if len(sources) > 1 or any(passage.heading for passage in group):
        return []
    name = _readable(sources.pop())
    return [name] if content_words(name) and not headings.is_generic(name) else []


def _readable(source: str) -> str:
    """A source's file name in words."""
    return re.sub(r"[_\s]+", " ", PurePath(source).stem).strip()


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
    if headings.is_furniture(heading):
        return ""
    if not headings.is_generic(heading):
        return heading
    for passage in group:
        parts = path_of(passage)
        if heading in parts[1:]:
            return f"{parts[parts.index(heading) - 1]}: {heading.lower()}"
    return ""


def path_of(passage: PassageText) -> list[str]:
    """The headings above a passage, with the source's name at the top where it is one."""
    stem = _readable(passage.source)
    named = [] if stem.lower() in {"readme", "index", "license", "changelog", "metadata", "unnamed"} else [stem]
    parts = heading_parts(passage.heading)
    return parts if parts[:1] and named and parts[0].lower() == named[0].lower() else [*named, *parts]


def _domain(key: str, title: str, asked: Sequence[str], group: Sequence[PassageText]) -> Domain:
    return Domain(
        key=key,
        title=title,
        focus=" ".join(asked) or f"What the sources say about “{title}”, as far as the objective asks.",
        source_ids=tuple(dict.fromkeys(passage.source_id for passage in group)),
        passage_ids=tuple(passage.passage_id for passage in group),
    )


def _approach(sources: int, passages: int, kept: int, titles: Sequence[str]) -> str:
    read = f"{kept} of {passages} passages in {sources} {'source bears' if sources == 1 else 'sources bear'} on this"
    if len(titles) == 1:
        return f"{read[0].upper()}{read[1:]}; they belong together, so one architect takes them: {titles[0]}."
    named = ", ".join(titles[:-1]) + f" and {titles[-1]}"
    return f"{read[0].upper()}{read[1:]}. By what belongs together they are {len(titles)} domains: {named}."
