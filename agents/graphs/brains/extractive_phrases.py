"""Words that say what a text is about: content words, key phrases, and the headings that name a group best."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import log

from agents.graphs.findings import PassageText
from agents.prose.blocks import Kind, blocks
from agents.prose.markup import plain
from agents.prose.wordlists import word_set

_STOP = word_set(
    """a about above after again all also although always am among an and another any are around as at away back be
    because been before being below between both but by call can cannot could did do does doing done down during each
    either else enough etc even ever every few find first for from further get gets give given go goes good got had has
    have having he her here hers him his how however i if in instead into is it its itself just keep know last least
    less let like look made make makes many may me might more most much must my need needs neither never new next no
    none nor not nothing now of off often on once one only onto or other others otherwise our ours out over own per
    perhaps please put rather really same say says see seem set several shall she should since so some something still
    such take than that the their theirs them then there therefore these they thing things this those though through
    thus to together too toward two under unless until up upon us use used uses using usually very via want was way we
    well were what whatever when where whether which while who whole whom whose why will with within without would yes
    yet you your yours wants wanted happen happens happened become becomes became work works working worked goes e.g i.e
    eg ie vs"""
)
_WORD = re.compile(r"[^\W_](?:[\w'\u2019.+-]*[\w+])?")
_SEPARATOR = " \u203a "
_NUMBERING = re.compile(
    r"\A(?:chapter|section|part|appendix|step)?\s*(?:\d+(?:\.\d+)*|[A-Z]|[ivx]+)[.):]\s+", re.IGNORECASE
)
_SUBTITLE = re.compile(r"(?::|\s[-\u2013\u2014])\s.*\Z")
_ENDINGS = ("ications", "ization", "isation", "ically", "ities", "ation", "ments", "ness", "ment", "ings", "ing", "ies")
_SHORT_ENDINGS = ("ers", "ed", "es", "er", "ly", "s")
_MOST_PHRASE_WORDS = 3


def content_words(text: str) -> list[str]:
    """The words of a text that carry meaning, in order, in lower case."""
    return [word for word in (found.lower() for found in _WORD.findall(text)) if word not in _STOP and len(word) > 1]


def stem(word: str) -> str:
    """The part of a word that its forms share; rough, and the same for "claims", "claimed" and "claiming"."""
    for ending in (*_ENDINGS, *_SHORT_ENDINGS):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word.removesuffix(ending).rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


def stems(text: str) -> set[str]:
    """Stems of the content words of a text."""
    return {stem(word) for word in content_words(text)}


def prose(text: str) -> str:
    """The words of a passage without code, tables and markup, a line a block."""
    kept = (block for block in blocks(text, markdown=False) if block.kind in {Kind.PARAGRAPH, Kind.ITEM})
    return "\n".join(plain(text[block.start : block.end]) for block in kept)


def heading_parts(heading: str) -> list[str]:
    """The headings on a path, from the top, without numbers and without what follows a colon or a dash."""
    parts = (_NUMBERING.sub("", part) for part in heading.split(_SEPARATOR))
    return [cleaned for part in parts if (cleaned := (_SUBTITLE.sub("", part) or part).strip(" .:#"))]


def phrases(text: str) -> Iterator[str]:
    """Runs of one to three content words that stand side by side."""
    for line in re.split(r"[\n.,;:!?()\[\]\"\u201c\u201d\u2013\u2014]", text):
        run: list[str] = []
        for word in [*_WORD.findall(line), ""]:
            if word and word.lower() not in _STOP and not word.isdigit() and len(word) > 2:
                run.append(word)
                continue
            for length in range(1, _MOST_PHRASE_WORDS + 1):
                for start in range(len(run) - length + 1):
                    yield " ".join(run[start : start + length])
            run = []


def key_phrases(own: Sequence[str], others: Sequence[str], *, most: int) -> list[str]:
    """Phrases that are frequent in the texts `own` and rare in `others`, best first.

    The weight is a phrase's number of texts times the log of how much denser it is here (class-based TF-IDF).
    """
    here, there = _spread(own), _spread(others)
    spellings: dict[str, Counter[str]] = {}
    for text in own:
        for phrase in phrases(text):
            spellings.setdefault(phrase.lower(), Counter())[phrase] += 1
    weights = {}
    for phrase, count in here.items():
        density = (count / max(len(own), 1)) / ((there[phrase] + 1) / (len(others) + 1))
        words = phrase.count(" ") + 1
        if count > 1 or (len(own) < 3 and spellings[phrase].total() > 1):
            weights[phrase] = count * log(1 + density) * (1 + 0.6 * (words - 1))
    ordered = sorted(weights, key=lambda phrase: (-weights[phrase], phrase))
    return [spellings[phrase].most_common(1)[0][0] for phrase in _different(ordered)][:most]


def _spread(texts: Iterable[str]) -> Counter[str]:
    """In how many texts each phrase stands."""
    return Counter(phrase for text in texts for phrase in {phrase.lower() for phrase in phrases(text)})


def _different(ordered: Sequence[str]) -> Iterator[str]:
    """The phrases that share no word with a better one."""
    taken: set[str] = set()
    for phrase in ordered:
        own = {stem(word) for word in phrase.split()}
        if not own & taken:
            taken |= own
            yield phrase


def best_headings(own: Sequence[PassageText], everything: Sequence[PassageText], *, most: int) -> dict[str, float]:
    """Headings that name a group, with how well: of much of it, of little else, and rather deep than high."""
    inside, overall = _heading_counts(own), _heading_counts(everything)
    scores = {
        heading: (count / len(own)) ** 0.5 * (count / overall[heading][0]) * (1 + 0.1 * depth)
        for heading, (count, depth) in inside.items()
    }
    best = sorted(scores, key=lambda heading: (-scores[heading], heading))[:most]
    return {heading: scores[heading] for heading in best}


def _heading_counts(passages: Sequence[PassageText]) -> dict[str, tuple[int, int]]:
    """Of each heading the passages below it, and how deep it stands at most."""
    counts: dict[str, tuple[int, int]] = {}
    for passage in passages:
        for depth, heading in enumerate(heading_parts(passage.heading)):
            count, known = counts.get(heading, (0, 0))
            counts[heading] = (count + 1, max(known, depth))
    return counts
