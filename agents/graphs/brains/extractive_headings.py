"""The questions that the sections of a source answer, by their headings or by the phrases of their text."""

import re
from collections.abc import Collection, Sequence

from agents.graphs.brains.extractive_phrases import content_words
from agents.graphs.brains.extractive_questions import ASKS, sentence_of, turned
from agents.prose.wordlists import word_set

# verbs, and words that are verbs only before another word of these
_IMPERATIVES = word_set(
    """add choose compile configure connect create define delete deploy disable download edit enable extend handle
    implement install integrate invoke manage migrate override parse publish register remove rename render replace
    restore resume retry rotate save secure select send serialize set start stop train tune uninstall update upgrade
    upload use validate verify write"""
)
_MAYBE_IMPERATIVES = word_set(
    """build call change check debug export filter fix format import load log measure monitor move open pass plot query
    read release run scale search share sort store stream switch test view"""
)
_OBJECT_STARTS = word_set("a all an any each in into it multiple on several the this to two with your")
_SMALL = word_set("a an and as at by for from in into of on or the through to with")
_VOWEL = re.compile("[AEIOUY]")
# headings that say nothing without what they stand under
_GENERIC = {
    "overview": "What is {parent}?",
    "introduction": "What is {parent}?",
    "about": "What is {parent}?",
    "background": "What is the background of {parent}?",
    "summary": "What is {parent} in short?",
    "installation": "How is {parent} installed?",
    "install": "How is {parent} installed?",
    "installing": "How is {parent} installed?",
    "setup": "How is {parent} set up?",
    "getting started": "How does one start with {parent}?",
    "quickstart": "How does one start with {parent}?",
    "quick start": "How does one start with {parent}?",
    "usage": "How is {parent} used?",
    "examples": "How is {parent} used?",
    "example": "How is {parent} used?",
    "basic usage": "How is {parent} used?",
    "features": "What can {parent} do?",
    "key features": "What can {parent} do?",
    "configuration": "How is {parent} configured?",
    "settings": "How is {parent} configured?",
    "options": "Which options does {parent} have?",
    "requirements": "What does {parent} require?",
    "dependencies": "What does {parent} depend on?",
    "prerequisites": "What does {parent} require?",
    "limitations": "What are the limits of {parent}?",
    "known issues": "Which problems of {parent} are known?",
    "caveats": "What is to be minded with {parent}?",
    "performance": "How well does {parent} perform?",
    "benchmarks": "How well does {parent} perform?",
    "benchmark": "How well does {parent} perform?",
    "security": "What is said about the security of {parent}?",
    "testing": "How is {parent} tested?",
    "tests": "How is {parent} tested?",
    "architecture": "How is {parent} built?",
    "design": "How is {parent} designed?",
    "license": "Under which licence is {parent}?",
    "licence": "Under which licence is {parent}?",
    "contributing": "How does one contribute to {parent}?",
    "methods": "Which methods were used for {parent}?",
    "results": "What are the results on {parent}?",
    "discussion": "What do the results on {parent} mean?",
    "conclusion": "What follows for {parent}?",
    "conclusions": "What follows for {parent}?",
    "notes": "What else is to be known about {parent}?",
}
_CLAUSES = word_set("when if once while whenever")
_ENDINGS_OF_CLAUSES = word_set("breaks changes crashes dies disappears ends expires fails goes restarts starts stops")
# headings that say nothing, whatever they stand under
_FURNITURE = word_set("changelog changes contents fixes footnotes index links misc packaging references sponsors toc")
_NOTES_OF_RELEASES = re.compile(
    r"v?\d+\.\d+\S*(?:\s.*)?|what's changed|new (?:features|contributors)|see also", re.IGNORECASE
)
_INSIDE_SENTENCE = re.compile(r"(?<=[a-z,] )[A-Z]\w+")
_COUNTED = re.compile(r"(?:\d+|two|three|four|five|six|seven|some|other|more)\s+\w+\Z", re.IGNORECASE)


def offered(heading: str, parent: str = "", names: Collection[str] = ()) -> str:
    """The question that a section answers, by its heading and the one above it; empty where that says nothing.

    `names` are words that keep their capital inside a sentence.
    """
    text = calm(heading.strip().rstrip(".:!"))
    parent = _lowered(parent, names) if _is_name(parent) else ""
    if text.lower() in _GENERIC:
        return sentence_of(_GENERIC[text.lower()].format(parent=parent).rstrip("?"), "?") if parent else ""
    if is_furniture(text) or not content_words(text) or _COUNTED.match(text):
        return ""
    return sentence_of(_asking(text, names) or f"what do the sources say about {_topic(text, parent, names)}", "?")


def _asking(text: str, names: Collection[str]) -> str:
    """A heading that is a question, a clause or an instruction, as a question; empty for mere topics."""
    words = text.split()
    first, lowered = words[0].lower(), _lowered(text, names)
    instruction = first in _IMPERATIVES or (first in _MAYBE_IMPERATIVES and words[1:2] and words[1] in _OBJECT_STARTS)
    if len(words) < 2:
        return ""
    if first == "how" and words[1].lower() == "to":
        return f"how does one {_lowered(' '.join(words[2:]) or text, names)}"
    if first in _CLAUSES or words[-1] in _ENDINGS_OF_CLAUSES:
        return f"what happens {'' if first in _CLAUSES else 'when '}{lowered}"
    if text.endswith("?") or ASKS.match(text):
        return text.rstrip("?") if text.endswith("?") else turned(text)
    if instruction:
        return f"how does one {lowered}"
    return f"what does {lowered} involve" if first.endswith("ing") and len(first) > 5 else ""


def _topic(text: str, parent: str, names: Collection[str]) -> str:
    """The heading inside a sentence; one word alone goes with what it stands under."""
    topic = _lowered(text, names)
    if len(text.split()) == 1 and parent and parent.lower() != text.lower():
        return f"{topic} in {parent}"
    return topic


def _lowered(text: str, names: Collection[str]) -> str:
    """The text as it stands inside a sentence: names and abbreviations keep their capitals."""
    first, *others = text.split()
    if first in names or (len(first) > 1 and not first[1:].islower()):
        return text
    ordinary = all(word.islower() or not word[0].isalpha() for word in others)
    return " ".join([first.lower() if ordinary or _common(first.lower()) else first, *others])


def _common(word: str) -> bool:
    return word in _IMPERATIVES or word in _SMALL or word.endswith("ing")


def introduced(title: str, names: Collection[str] = ()) -> str:
    """The question that the beginning of a document answers, by its title; empty where the title is no name."""
    if not _is_name(title):
        return ""
    if title.lower().endswith("s") or (len(title.split()) > 1 and title not in names):
        return sentence_of(f"what do the sources say about {_lowered(calm(title), names)}", "?")
    return f"What is {calm(title)}?"


def about(phrases: Sequence[str]) -> str:
    """A question about one or two phrases that name a group of passages."""
    return sentence_of(f"what do the sources say about {' and '.join(phrases[:2])}", "?")


def names_in(texts: Sequence[str]) -> frozenset[str]:
    """Words that have a capital inside sentences."""
    return frozenset(found for text in texts for found in _INSIDE_SENTENCE.findall(text))


def is_generic(heading: str) -> bool:
    """Does the heading say nothing without what it stands under?"""
    return heading.strip().rstrip(".:!").lower() in _GENERIC


def is_furniture(heading: str) -> bool:
    """Does the heading name no subject, wherever it stands?"""
    text = heading.strip().rstrip(".:!").lower()
    return text in _FURNITURE or bool(_NOTES_OF_RELEASES.fullmatch(text))


def _is_name(parent: str) -> bool:
    """Can it stand for its subject inside a sentence? "pgvector" can, "How the parts fit" cannot."""
    return 0 < len(parent.split()) <= 4 and not ASKS.match(parent) and not is_generic(parent)


def calm(text: str) -> str:
    """A heading in capitals as a title; words without vowels are abbreviations and stay."""
    if not text.isupper() or len(text.split()) < 2:
        return text
    words = [word if not _VOWEL.search(word) else word.capitalize() for word in text.split()]
    return " ".join(word.lower() if number and word.lower() in _SMALL else word for number, word in enumerate(words))
